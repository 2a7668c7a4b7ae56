package import EventModel

/// Whether one subscriber gets a topic as promised: every offset once, in order, or a notice that
/// it will not come.
package struct DeliveryCheck: Sendable {
    /// The last offset that was delivered or told in a gap.
    package private(set) var position: Offset
    package private(set) var tally = Tally()
    /// Which events are to come.
    private let share: EventShare

    /// What was seen, over one subscriber or many.
    package struct Tally: Equatable, Sendable {
        package var events: Int64 = 0
        /// Offsets that gaps and resets told of.
        package var told: Int64 = 0
        /// Offsets that were passed over without a word.
        package var lost: Int64 = 0
        /// Events at or below the position: repeated, or out of order.
        package var repeated: Int64 = 0
        /// Events that the filter should have left out.
        package var unwanted: Int64 = 0
        /// Connections that the broker closed, or that broke.
        package var closed: Int64 = 0

        package init() {}

        package static func += (tally: inout Tally, other: Tally) {
            tally.events += other.events
            tally.told += other.told
            tally.lost += other.lost
            tally.repeated += other.repeated
            tally.unwanted += other.unwanted
            tally.closed += other.closed
        }

        /// Nothing is missing, repeated, unwanted or closed; what was told may be.
        package var isSound: Bool { lost == 0 && repeated == 0 && unwanted == 0 && closed == 0 }
    }

    /// Begins behind `position`; a filter lets `share` of the events come.
    package init(behind position: Offset, share: EventShare = .all) {
        self.position = position
        self.share = share
    }

    /// Whether nothing up to this offset is missing any more.
    package func has(_ offset: Offset) -> Bool {
        position >= offset || share.count(in: position, offset) == 0
    }

    package mutating func event(_ offset: Offset) {
        tally.events += 1
        guard offset > position else {
            tally.repeated += 1
            return
        }
        if !share.has(offset) { tally.unwanted += 1 }
        tally.lost += share.count(in: position, offset - 1)
        position = offset
    }

    package mutating func gap(_ from: Offset, _ to: Offset) {
        guard to > position else { return }
        if from > position { tally.lost += share.count(in: position, from - 1) }
        tally.told += to - max(from - 1, position)
        position = to
    }

    package mutating func closed() { tally.closed += 1 }
}

/// Which events of a topic come through a filter: of each hundred the first ones, as `BenchEvent`
/// numbers them from the topic's first event on.
package struct EventShare: Equatable, Sendable {
    /// 0 to 100.
    package let hundredths: Offset

    package init(hundredths: Int) {
        precondition((0...100).contains(hundredths), "bug: a share of \(hundredths) hundredths")
        self.hundredths = Offset(hundredths)
    }

    package static let all = EventShare(hundredths: 100)

    package func has(_ offset: Offset) -> Bool { (offset - 1) % 100 < hundredths }

    /// How many come behind `first`, up to `last`.
    package func count(in first: Offset, _ last: Offset) -> Offset {
        max(0, count(upTo: last) - count(upTo: first))
    }

    private func count(upTo offset: Offset) -> Offset {
        offset / 100 * hundredths + min(offset % 100, hundredths)
    }
}
