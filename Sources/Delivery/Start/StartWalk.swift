package import EventModel
package import FanOut
internal import NIOCore
package import SessionProtocol

/// Begins a subscription in the topics that its patterns match and that it does not name, in the
/// past: by name, some at a time (doc:Subscriptions, "Patterns").
///
/// Confined to its event loop.
package final class StartWalk {
    private let patterns: [TopicPattern]
    private let from: StartPosition
    private let now: Timestamp
    private let loop: LoopDelivery
    private let log: any EventLog
    /// Looked up at a time.
    private static let topicsMax = 256

    /// `nil` if there is nothing to begin with: all is live at once.
    package init?(
        _ question: StartOperation.Question, now: Moment, loop: LoopDelivery, log: any EventLog
    ) {
        guard question.from != .latest, !question.wildcards.isEmpty else { return nil }
        patterns = question.wildcards
        from = question.from
        self.now = now.time
        self.loop = loop
        self.log = log
    }

    private struct Step {
        let subscription: Subscription
        let topics: [TopicName]
        /// `nil`: all that there are.
        let reached: TopicName?
        var feeds: [TopicFeed] = []
        var epochs: [Epoch] = []
        var cursors: [TopicName: Offset] = [:]
    }

    /// The topics are followed; finds where they begin.
    private func begin(_ step: Step) {
        var step = step
        let shard = loop.shard
        step.feeds = step.topics.compactMap { shard.feed(of: $0) }
            // What there is of an ephemeral topic is live.
            .filter { !$0.isEphemeral }
        step.epochs = step.feeds.map(\.epoch)
        let plan = StartPlan(
            positions: step.feeds.map { shard.startPosition(of: $0, for: step.subscription) },
            from: from, cursors: [:])
        step.cursors = plan.cursors
        guard !plan.toSearch.isEmpty else { return end(step) }
        let bound = NIOLoopBound((self, step), eventLoop: loop.eventLoop)
        log.firstOffsets(of: plan.toSearch, from: from, now: now) { result in
            bound.eventLoop.execute {
                let (walk, step) = bound.value
                walk.found(result, step)
            }
        }
    }

    private func found(_ result: Result<LogAnswers<Offset>, BrokerError>, _ step: Step) {
        guard case .success(let offsets) = result else {
            return loop.shard.walkStalled(step.subscription)
        }
        var step = step
        for feed in step.feeds {
            guard let first = offsets[feed.topic] else { continue }
            step.cursors[feed.topic] = from.cursor(first: first, earliest: feed.position.earliest)
        }
        end(step)
    }

    private func end(_ step: Step) {
        let shard = loop.shard
        // One that came again under the name begins by itself.
        let feeds = zip(step.feeds, step.epochs).filter { !$0.0.hasEnded }
        // An answer is worth nothing in another incarnation, and a feed may not have been kept.
        let hasChanged = feeds.contains { feed, epoch in
            feed.epoch != epoch || shard.feed(of: feed.topic) !== feed
        }
        if hasChanged { return shard.walkStalled(step.subscription) }
        let starts = feeds.compactMap { feed, _ in
            step.cursors[feed.topic].map { cursor in
                // What came since the subscription began is not skipped.
                let latest = shard.startPosition(of: feed, for: step.subscription).latest
                return ReaderStart(feed: feed, cursor: min(cursor, latest))
            }
        }
        shard.walked(step.subscription, starts, through: step.reached)
    }
}

extension StartWalk: TopicWalkSource {
    package func proceed(_ subscription: Subscription, behind reached: TopicName?) {
        let topics = log.topics(matching: patterns, after: reached, count: Self.topicsMax)
        let step = Step(
            subscription: subscription, topics: topics,
            reached: topics.count < Self.topicsMax ? nil : topics.last)
        // Also asked for none: topics that are new are told before the answer.
        loop.follow(topics, isPassing: true) { [self] result in
            switch result {
            case .success: begin(step)
            case .failure: loop.shard.walkStalled(subscription)
            }
        }
    }
}

@available(*, unavailable) extension StartWalk: Sendable {}
