package import EventModel

/// Whether one subscriber gets a topic as promised: every offset once, in order, or a notice that
/// it will not come.
package struct DeliveryCheck: Sendable {
    /// The last offset that was delivered or told in a gap.
    package private(set) var position: Offset
    package private(set) var tally = Tally()

    /// What was seen, over one subscriber or many.
    package struct Tally: Equatable, Sendable {
        package var events: Int64 = 0
        /// Offsets that gaps and resets told of.
        package var told: Int64 = 0
        /// Offsets that were passed over without a word.
        package var lost: Int64 = 0
        /// Events at or below the position: repeated, or out of order.
        package var repeated: Int64 = 0
        /// Connections that the broker closed, or that broke.
        package var closed: Int64 = 0

        package init() {}

        package static func += (tally: inout Tally, other: Tally) {
            tally.events += other.events
            tally.told += other.told
            tally.lost += other.lost
            tally.repeated += other.repeated
            tally.closed += other.closed
        }

        /// Nothing is missing, repeated or closed; what was told may be.
        package var isSound: Bool { lost == 0 && repeated == 0 && closed == 0 }
    }

    /// Begins behind `position`.
    package init(behind position: Offset) { self.position = position }

    package mutating func event(_ offset: Offset) {
        tally.events += 1
        guard offset > position else {
            tally.repeated += 1
            return
        }
        tally.lost += offset - position - 1
        position = offset
    }

    package mutating func gap(_ from: Offset, _ to: Offset) {
        guard to > position else { return }
        tally.lost += max(0, from - position - 1)
        tally.told += to - max(from - 1, position)
        position = to
    }

    package mutating func closed() { tally.closed += 1 }
}
