internal import EventModel
internal import SluiceClient

extension BrokerClient {
    /// All topics that match, by name.
    func allTopics(matching pattern: String) async throws -> [TopicInfo] {
        var all: [TopicInfo] = []
        var next: String?
        repeat {
            let page = try await topics(matching: pattern, after: next)
            all += page.topics
            next = page.next
        } while next != nil
        return all
    }

    /// The topics that a command is to work on: the one of the name, or all of a pattern.
    ///
    /// - Throws: Also when there is none.
    func chosenTopics(_ pattern: String) async throws -> [TopicInfo] {
        guard isPattern(pattern) else { return [try await topic(pattern)] }
        let topics = try await allTopics(matching: pattern)
        guard !topics.isEmpty else {
            throw CommandFailure(
                .refused, "No topic matches \(quoted(pattern)).",
                remedy: "'sluice topic list' shows which there are.")
        }
        return topics
    }
}

/// Whether a text that is a valid pattern has a wildcard.
func isPattern(_ text: String) -> Bool { text.contains { $0 == "*" || $0 == ">" } }

/// What topics hold, in words.
struct Holdings: Equatable {
    private(set) var events: Int64 = 0
    private(set) var bytes: Int64 = 0

    init(_ topics: [TopicInfo]) {
        for topic in topics {
            events += topic.eventCount
            bytes += topic.bytes
        }
    }

    init(events: Int64, bytes: Int64) {
        self.events = events
        self.bytes = bytes
    }

    /// `1,204 events, 3.1 MiB`.
    var text: String { "\(counted(events, "event")), \(roundedSize(bytes))" }
}

/// `1 event`, `1,204 events`.
func counted(_ number: Int64, _ noun: String) -> String {
    "\(grouped(number)) \(noun)\(number == 1 ? "" : "s")"
}

/// `1204` as `1,204`.
func grouped(_ number: Int64) -> String {
    let digits = Array(String(number.magnitude))
    var text = number < 0 ? "-" : ""
    for (index, digit) in digits.enumerated() {
        if index > 0, (digits.count - index) % 3 == 0 { text.append(",") }
        text.append(digit)
    }
    return text
}
