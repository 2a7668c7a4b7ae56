internal import EventModel

/// Checks patterns of the command line, which a shell may have bitten into.
func checkedPatterns(_ texts: [String]) throws(CommandFailure) -> [String] {
    for text in texts {
        if text.hasSuffix(".") {
            throw CommandFailure(
                .usage,
                "\(quoted(text)) ends with a dot: the shell took the '>' for a redirection.",
                remedy: "Quote the pattern: '\(text)>'.")
        }
        do throws(BrokerError) {
            _ = try TopicPattern(text)
        } catch {
            throw CommandFailure(.usage, error.message, remedy: error.remedy)
        }
    }
    return texts
}

/// Checks a topic's name of the command line.
func checkedTopic(_ text: String) throws(CommandFailure) -> String {
    guard !text.hasSuffix(".") else {
        throw CommandFailure(
            .usage, "\(quoted(text)) ends with a dot: the shell took the '>' for a redirection.",
            remedy:
                "Name one topic here. A pattern, where one is taken, stands in quotes: "
                + "quote the pattern '\(text)>'.")
    }
    do throws(BrokerError) {
        return try TopicName(text).text
    } catch {
        throw CommandFailure(.usage, error.message, remedy: error.remedy)
    }
}

/// Reads a duration of the command line.
func checkedDuration(_ text: String, option: String) throws(CommandFailure) -> Duration {
    let most = Limits.durationMax
    guard let duration = parseDuration(text), duration > .zero, duration <= most else {
        throw CommandFailure(
            .usage, "\(quoted(text)) is not a duration for \(option).",
            remedy: "Write it like 30s, 15m or 7d, at most \(durationText(most)).")
    }
    return duration
}
