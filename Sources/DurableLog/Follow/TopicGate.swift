package import EventModel

/// Lets the events of one followed topic through once and in order, whatever source they come from
/// (doc:AppendAndFollow, "Following").
///
/// Sources are this node's own appends, announces, the journal and pages. What is not above the
/// last event that went through is dropped; what is right behind it goes through; what leaves a
/// hole is held, and the hole is asked for. Before `start`, everything is held, because where the
/// topic begins for this node is not known yet.
package struct TopicGate: Sendable {
    /// Bytes that are held while a hole is read.
    ///
    /// Over it they are dropped: the hole's pages bring them again.
    private let heldBytesMax: Int

    /// The last offset that went through; `nil` before `start`.
    package private(set) var last: Offset?
    /// The highest offset that is known to be in the log.
    private var known: Offset = 0
    /// The highest offset that was heard of since the log was read; anybody may have made it up.
    private var heard: Offset = 0
    /// Ascending runs of events, each dense.
    private var held: [[Event]] = []
    private var heldBytes = 0

    package init(heldBytesMax: Int) { self.heldBytesMax = heldBytesMax }

    /// Read events after this offset: the log has more than went through, or is said to.
    package var hole: Offset? {
        guard let last, max(known, heard) > last else { return nil }
        return last
    }

    /// The topic goes on behind `offset`.
    ///
    /// Returns what may go through now.
    package mutating func start(behind offset: Offset) -> [Event] {
        last = offset
        read(head: offset)
        return release()
    }

    /// Committed events, dense.
    ///
    /// Returns what may go through now.
    package mutating func arrived(_ events: [Event]) -> [Event] {
        guard let first = events.first, let final = events.last else { return [] }
        known = max(known, final.offset)
        if let last {
            if final.offset <= last { return [] }
            // The usual case: the next events, and nothing is held.
            if held.isEmpty, first.offset == last + 1 {
                self.last = final.offset
                return events
            }
        }
        hold(events)
        return release()
    }

    /// The log is said to have events up to this offset: a hint, until the log is read.
    package mutating func heard(head: Offset) { heard = max(heard, head) }

    /// The log was read, later than anything was heard: this is its head, whatever was said.
    ///
    /// Events that arrived meanwhile may be above it.
    package mutating func read(head: Offset) {
        known = max(known, head)
        heard = 0
    }

    /// Nothing up to this offset can be read any more.
    ///
    /// Returns what may go through now.
    package mutating func skip(to offset: Offset) -> [Event] {
        guard let last, offset > last else { return [] }
        self.last = offset
        known = max(known, offset)
        return release()
    }

    /// The topic cannot be read: what was heard of it is forgotten.
    package mutating func abandonHole() {
        known = last ?? 0
        heard = 0
    }

    private mutating func hold(_ events: [Event]) {
        heldBytes += events.reduce(0) { $0 + $1.content.byteCount }
        if heldBytes > heldBytesMax {
            held = []
            heldBytes = 0
            return
        }
        let place = held.firstIndex { $0[0].offset > events[0].offset } ?? held.endIndex
        held.insert(events, at: place)
    }

    private mutating func release() -> [Event] {
        guard var last else { return [] }
        var released: [Event] = []
        while let run = held.first, let first = run.first, first.offset <= last + 1 {
            held.removeFirst()
            let fresh = run.drop { $0.offset <= last }
            heldBytes -= run.reduce(0) { $0 + $1.content.byteCount }
            guard let final = fresh.last else { continue }
            released.append(contentsOf: fresh)
            last = final.offset
        }
        self.last = last
        return released
    }
}
