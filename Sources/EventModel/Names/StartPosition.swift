/// Where a subscription or a page begins; one grammar for wss, HTTP and command line
/// (doc:CommonRules).
package enum StartPosition: Hashable, Sendable {
    case latest
    case earliest
    /// The newest `n` events of each topic.
    case last(Int)
    /// This offset, inclusive. One exact topic only.
    case offset(Offset)
    /// Exclusive. One exact topic only.
    case after(Cursor)
    /// The first event whose time is not before this.
    case time(Timestamp)
    /// The same, counted back from the broker's clock.
    case ago(Duration)
    /// Where a subscription resumes in topics that it never saw; issued by the broker.
    case mark(ResumeMark)

    /// Parses the wire form, like `last:10` or `time:2026-01-01T00:00:00Z`.
    ///
    /// - Throws: `invalid_start` with the forms there are.
    package init(_ text: some StringProtocol) throws(BrokerError) {
        switch text {
        case "latest": self = .latest
        case "earliest": self = .earliest
        default:
            guard let colon = text.firstIndex(of: ":") else { throw Self.refused(text) }
            let argument = text[text.index(after: colon)...]
            self = try Self.parse(word: text[..<colon], argument: argument, whole: String(text))
        }
    }

    /// The same of a request's field, which an error then names.
    package init(_ text: some StringProtocol, field: String) throws(BrokerError) {
        do throws(BrokerError) { self = try Self(text) } catch {
            var error = error
            error.at = InputPlace(field: field)
            throw error
        }
    }

    private static func parse(
        word: some StringProtocol, argument: some StringProtocol, whole: String
    ) throws(BrokerError) -> StartPosition {
        switch word {
        case "last":
            if let count = Cursor.offset(argument), count >= 1 { return .last(Int(count)) }
        case "offset":
            if let offset = Cursor.offset(argument), offset >= 1 { return .offset(offset) }
        case "after":
            if let cursor = Cursor(argument) { return .after(cursor) }
        case "time":
            if let time = Timestamp(rfc3339: String(argument)) { return .time(time) }
        case "ago":
            if let duration = parseDuration(String(argument)) { return .ago(duration) }
        case "mark":
            if let mark = ResumeMark(argument) { return .mark(mark) }
            throw BrokerError(
                .invalidStart, "\(quoted(whole)) is not a mark that a broker issued.",
                remedy: "Send 'resume_from' of the last 'subscribed' exactly as it came.")
        default: break
        }
        throw refused(whole)
    }

    private static func refused(_ text: some StringProtocol) -> BrokerError {
        BrokerError(.invalidStart, "\(quoted(text)) is not a start position.")
    }

    /// `offset:` and `after:` name a place in one topic, so they fit no pattern and no list.
    package var fitsOneTopicOnly: Bool {
        switch self {
        case .offset, .after: true
        case .latest, .earliest, .last, .time, .ago, .mark: false
        }
    }

    /// The wire form, which says the same when it is read again.
    package var text: String {
        switch self {
        case .latest: "latest"
        case .earliest: "earliest"
        case .last(let count): "last:\(count)"
        case .offset(let offset): "offset:\(offset)"
        case .after(let cursor): "after:\(cursor)"
        case .time(let time): "time:\(time)"
        case .ago(let duration): "ago:\(Self.agoText(duration))"
        case .mark(let mark): "mark:\(mark.text)"
        }
    }

    /// Seconds, unless a fraction would be lost or there are more of them than are read.
    private static func agoText(_ duration: Duration) -> String {
        let (seconds, fraction) = duration.components
        return fraction == 0 && seconds <= unitsMax ? "\(seconds)s" : durationText(duration)
    }
}
