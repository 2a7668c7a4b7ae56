package import EventModel

/// A condition on events, written as a predicate of SQL/JSON path (doc:Filters).
///
/// Parsed once, then asked for each event. It holds no state that changes, so one filter may be
/// asked on several threads. Two filters are equal if their texts are, and may then be shared.
package final class EventFilter: Hashable, Sendable {
    /// The filter as all that are written the same up to white space, redundant parentheses and
    /// the order of a comparison's operands are written.
    package let text: String
    private let program: FilterProgram

    /// Parses a filter of at most `bytesMax` bytes.
    ///
    /// - Throws: `invalid_filter` with the byte at which the text goes wrong; what the language
    ///   would have and filters don't is refused by name.
    package init(_ text: String, bytesMax: Int) throws(BrokerError) {
        let size = text.utf8.count
        guard size <= bytesMax else {
            throw BrokerError(
                .invalidFilter, "The filter has \(size) bytes, over \(bytesMax).",
                remedy: "Shorten the filter.", at: InputPlace(byte: bytesMax, field: "filter"))
        }
        var parser = FilterParser(text)
        let condition = try parser.condition()
        self.text = FilterWriter(condition, tests: parser.tests).text
        program = FilterProgram(condition, tests: parser.tests)
    }

    /// Whether the event, of this topic, fulfils the condition; what is unknown does not.
    ///
    /// One walk over the event's data, whose cost is at most that of one walk for each `.*` and
    /// `[…]` of the filter. It allocates only for comparisons of two paths.
    package func matches(_ event: Event, of topic: TopicName) -> Bool {
        var scan = scanned(event, topic, looksAhead: false)
        if scan.hasRepeatedName { scan = scanned(event, topic, looksAhead: true) }
        scan.finish()
        return scan.truth(of: program.condition) == .yes
    }

    private func scanned(_ event: Event, _ topic: TopicName, looksAhead: Bool) -> FilterScan {
        var scan = FilterScan(program, looksAhead: looksAhead)
        if let node = program.data { scan.read(event.content.data.span, from: node) }
        if let node = program.topic { scan.readString(topic.text.utf8.span, from: node) }
        if let node = program.key, let key = event.content.key {
            scan.readString(key.utf8.span, from: node)
        }
        if let node = program.attributes, let attributes = event.content.attributes {
            scan.read(attributes.span, from: node)
        }
        return scan
    }

    package static func == (left: EventFilter, right: EventFilter) -> Bool {
        left === right || left.text == right.text
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(text) }
}
