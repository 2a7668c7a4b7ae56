internal import Delivery
internal import EventModel

/// What becomes of a page that waits at the end of its topic, as the topic goes on.
///
/// Events are taken as the node is told of them, without another look at the log; what else there
/// is to tell, only the log knows.
struct AwaitedEvents {
    enum Outcome: Sendable {
        /// What the page holds; `seen` are the offsets that it was chosen from.
        case page(EventPage, seen: ClosedRange<Offset>)
        /// The log is to be asked again, as the node is at this position, or does not say.
        case askAgain(TopicPosition?)
    }

    private let question: PageQuestion
    private let limits: Limits
    /// Where the page begins; `nil`: there was no topic.
    private let start: Cursor?
    /// The last offset that was looked at.
    private var after: Offset
    /// The topic as it was told last.
    private var position: TopicPosition?

    init(_ question: PageQuestion, behind start: Cursor?, limits: Limits) {
        self.question = question
        self.limits = limits
        self.start = start
        after = start?.offset ?? 0
    }

    /// The node follows the topic, from `position` on; `nil`: there is none.
    ///
    /// `known`: Where the node was when the log was asked last.
    func began(at position: TopicPosition?, known: TopicPosition?) -> Outcome? {
        guard let start, let position else {
            return (start == nil) == (position == nil) ? nil : .askAgain(position)
        }
        guard position != known else { return nil }
        let isElsewhere = position.epoch != start.epoch || position.latest > after
        return isElsewhere ? .askAgain(position) : nil
    }

    mutating func take(_ news: TopicNews) -> Outcome? {
        switch news {
        case .appended(let events, let position): take(events, position)
        case .purged(let earliest): earliest > after + 1 ? .askAgain(nil) : nil
        case .changed: .askAgain(nil)
        }
    }

    private mutating func take(_ events: [Event], _ position: TopicPosition) -> Outcome? {
        guard let start, start.epoch == position.epoch else { return .askAgain(position) }
        var rest = events.drop { $0.offset <= after }
        while let first = rest.first {
            guard first.offset == after + 1 else { return .askAgain(position) }
            var scan = PageScan(
                after: after, events: question.count, filter: question.filter, limits: limits)
            scan.take(
                EventPage(position: position, purgedBelow: 1, events: Array(fitting(rest))))
            guard let page = scan.page, let seen = scan.seen else { break }
            after = seen.upperBound
            self.position = position
            if !page.events.isEmpty { return .page(page, seen: (start.offset + 1)...after) }
            rest = rest.drop { $0.offset <= after }
        }
        return nil
    }

    /// The first events, as many as one page may hold in bytes; one always fits.
    private func fitting(_ events: ArraySlice<Event>) -> ArraySlice<Event> {
        var bytes = 0
        let end = events.firstIndex { event in
            bytes += event.content.byteCount
            return bytes > limits.answerPageBytesMax
        }
        guard let end else { return events }
        return events[..<max(end, events.startIndex + 1)]
    }

    /// The time is over: an empty page behind all that the filter left out; `nil`: nothing came.
    var over: (page: EventPage, seen: ClosedRange<Offset>)? {
        guard let start, let position, after > start.offset else { return nil }
        return (
            EventPage(position: position, purgedBelow: 1, events: []), (start.offset + 1)...after
        )
    }
}
