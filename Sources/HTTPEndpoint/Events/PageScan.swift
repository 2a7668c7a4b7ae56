internal import EventModel
internal import Filtering

/// Reads what a page of a topic holds: with a filter piece by piece, until there are enough events
/// or enough was looked at.
///
/// So a request costs a bounded part of the log, however few events the filter lets through; the
/// page's cursor is behind all that was looked at, and the next one goes on there.
struct PageScan {
    /// What to read next.
    struct Question: Equatable {
        var after: Offset
        var events: Int
        var bytes: Int
    }

    /// `nil`: the page is whole.
    private(set) var question: Question?
    /// Both ends of the topic, and the events that the page holds; `nil` before the first answer.
    private(set) var page: EventPage?
    /// The offsets that were looked at, without a hole.
    private(set) var seen: ClosedRange<Offset>?
    private let filter: EventFilter?
    private let eventsMax: Int
    private let limits: Limits
    private var eventsLeft: Int
    private var bytesLeft: Int

    /// Pages of the log that are looked at for one page of filtered events, in events; in bytes it is
    /// one page over HTTP.
    private static let pagesMax = 10

    /// Begins behind an offset; the page has at most `events` events.
    init(after: Offset, events: Int, filter: EventFilter?, limits: Limits) {
        self.filter = filter
        self.limits = limits
        eventsMax = events
        eventsLeft = filter == nil ? events : Self.pagesMax * limits.pageEventsMax
        bytesLeft = limits.answerPageBytesMax
        question = next(after: after)
    }

    /// A filter looks at smaller pieces, so that the event loop has others between them.
    private func next(after: Offset) -> Question {
        guard filter != nil else {
            return Question(after: after, events: eventsLeft, bytes: bytesLeft)
        }
        return Question(
            after: after, events: min(eventsLeft, limits.pageEventsMax),
            bytes: min(bytesLeft, limits.pageBytesMax))
    }

    /// The log answered.
    mutating func take(_ read: EventPage) {
        guard let question else { preconditionFailure("bug: nothing was asked") }
        self.question = nil
        guard continues(with: read) else { return }
        page = EventPage(
            position: read.position, purgedBelow: page?.purgedBelow ?? read.purgedBelow,
            events: page?.events ?? [])
        for event in read.events {
            seen = (seen?.lowerBound ?? event.offset)...event.offset
            eventsLeft -= 1
            bytesLeft -= event.content.byteCount
            guard filter?.matches(event, of: read.position.topic) ?? true else { continue }
            page?.events.append(event)
            if page?.events.count == eventsMax { return }
        }
        guard filter != nil, let last = seen?.upperBound, last > question.after,
            last < read.position.latest, eventsLeft > 0, bytesLeft > 0
        else { return }
        self.question = next(after: last)
    }

    /// A topic that began anew meanwhile, or lost what comes next, is for the next page to tell of.
    private func continues(with read: EventPage) -> Bool {
        guard let page, let last = seen?.upperBound else { return true }
        return read.position.epoch == page.position.epoch
            && (read.events.first.map { $0.offset == last + 1 } ?? true)
    }
}
