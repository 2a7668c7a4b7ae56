package import NIOCore

/// Work of which a turn of an event loop does only so much; the rest waits, in the order in which
/// it came.
package struct TurnQueue<Element> {
    private let turn: TimeAmount
    /// When the turn that is under way is over.
    private var end: NIODeadline?
    private var waiting = CircularBuffer<Element>()

    /// `turn`: For how long others may be kept waiting.
    package init(_ turn: TimeAmount) { self.turn = turn }

    /// Whether something was done in this turn, or waits for the next.
    package var isUnderWay: Bool { end != nil }

    /// Whether work that has come now is to be done at once; else it is to be put behind the rest.
    package mutating func mayBegin(now: NIODeadline) -> Bool {
        guard waiting.isEmpty else { return false }
        return hasTime(now)
    }

    package mutating func append(_ element: Element) { waiting.append(element) }

    /// The others had their turn.
    package mutating func beginTurn() { end = nil }

    /// What is to be done next in this turn: at least one, if any waits.
    package mutating func next(now: NIODeadline) -> Element? {
        guard !waiting.isEmpty, hasTime(now) else { return nil }
        return waiting.removeFirst()
    }

    private mutating func hasTime(_ now: NIODeadline) -> Bool {
        let end = end ?? now + turn
        self.end = end
        return now < end
    }
}
