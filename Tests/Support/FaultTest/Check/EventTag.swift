package import EventModel
internal import SluiceClient

/// Which event it is: who published it to which topic, and its number among that one's.
package struct EventTag: Hashable, Sendable, CustomStringConvertible {
    package var topic: String
    package var publisher: UInt16
    /// 1, 2, 3 … of the publisher.
    package var number: Int64

    package init(topic: String, publisher: UInt16, number: Int64) {
        self.topic = topic
        self.publisher = publisher
        self.number = number
    }

    /// Reads an event's data; `nil` if this test did not write it.
    package init?(data: [UInt8]) {
        guard let fields = try? JSONFields(data), let topic = fields.text("t"),
            let publisher = fields.integer("p"), let number = fields.integer("n")
        else { return nil }
        self.init(topic: topic, publisher: UInt16(truncatingIfNeeded: publisher), number: number)
    }

    /// The data that says it, of at least so many bytes.
    package func data(padding: Int = 0) -> [UInt8] {
        let pad = String(repeating: "x", count: padding)
        return Array(#"{"t":"\#(topic)","p":\#(publisher),"n":\#(number),"pad":"\#(pad)"}"#.utf8)
    }

    /// Whether a topic of this test is.
    package static func isEphemeral(_ topic: String) -> Bool { topic.hasPrefix("ephemeral.") }

    package var isEphemeral: Bool { Self.isEphemeral(topic) }

    package var description: String { "event \(number) of publisher \(publisher) on \(topic)" }

    /// Publisher and number in one word, never 0.
    var word: UInt64 { UInt64(publisher) << 48 | UInt64(bitPattern: number) & 0xFFFF_FFFF_FFFF }

    /// What a word said.
    static func words(_ word: UInt64) -> String {
        "event \(word & 0xFFFF_FFFF_FFFF) of publisher \(word >> 48)"
    }
}

/// One life of a topic: its offsets are dense and name one event each.
///
/// A durable topic lives on in another incarnation of the log, and an ephemeral one begins anew.
package struct Life: Hashable, Comparable, Sendable, CustomStringConvertible,
    ExpressibleByIntegerLiteral
{
    /// The topic's.
    package var id: Int32
    /// Of an ephemeral topic.
    package var incarnation: String?

    package init(id: Int32, incarnation: String? = nil) {
        self.id = id
        self.incarnation = incarnation
    }

    /// Of a durable topic.
    package init(integerLiteral id: Int32) { self.init(id: id) }

    package var isEphemeral: Bool { incarnation != nil }

    package static func < (left: Life, right: Life) -> Bool {
        (left.id, left.incarnation ?? "") < (right.id, right.incarnation ?? "")
    }

    package var description: String { incarnation.map { "\(id) in \($0)" } ?? "\(id)" }
}

/// One life of a topic, and a place in it.
package struct Place: Hashable, Sendable, CustomStringConvertible {
    package var life: Life
    package var offset: Offset

    package init(life: Life, offset: Offset) {
        self.life = life
        self.offset = offset
    }

    /// Where a cursor of a topic stands; `nil` if no broker made it.
    package init?(_ cursor: Cursor, of topic: String) {
        guard let id = cursor.epoch.topicID else { return nil }
        let isEphemeral = EventTag.isEphemeral(topic)
        self.init(
            life: Life(id: id, incarnation: isEphemeral ? cursor.epoch.incarnation : nil),
            offset: cursor.offset)
    }

    package var description: String { "\(offset) of life \(life)" }
}
