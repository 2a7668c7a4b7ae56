package import EventModel
internal import FanOut
package import NIOCore
internal import Synchronization
internal import Transport

/// The node's one listener at the log: hands events to the event loops that follow their topic.
///
/// One FIFO per loop (`EventLoop.execute`) carries events and joins alike, so a join at the head
/// misses nothing (doc:AppendAndFollow).
package final class DeliveryHub: LogSink {
    private let interest = Mutex(LoopInterest())
    /// Following and unfollowing reach the log in the order in which `interest` changed.
    ///
    /// Taken before the log's own lock;
    /// `interest` is taken inside of both.
    private let ordering = Mutex<Void>(())
    private let loops: [NIOLoopBound<LoopDelivery>]
    private let log: any EventLog

    /// Takes all event loops, in the order of their numbers; not to be called on one of them.
    package init(loops: [any EventLoop], log: any EventLog, limits: Limits) throws {
        self.log = log
        let loopLimits = Self.share(of: limits, loops: loops.count)
        self.loops = try loops.map { loop in
            try loop.submit {
                NIOLoopBound(
                    LoopDelivery(eventLoop: loop, limits: loopLimits), eventLoop: loop)
            }.wait()
        }
        for (index, loop) in self.loops.enumerated() {
            loop.eventLoop.execute { loop.value.start(hub: self, number: index) }
        }
    }

    /// The limits of one loop: what is a node's is divided among them.
    private static func share(of limits: Limits, loops: Int) -> Limits {
        var share = limits
        share.recentEventsBytesMax /= max(loops, 1)
        share.backlogsBytesMax /= max(loops, 1)
        return share
    }

    /// The delivery on the loop with this number; to be used on that loop only.
    package func loop(_ number: Int) -> LoopDelivery { loops[number].value }

    /// Calls `body` with every loop's delivery, on its loop.
    package func forEachLoop(_ body: @escaping @Sendable (LoopDelivery) -> Void) {
        for loop in loops { loop.eventLoop.execute { body(loop.value) } }
    }

    /// The tokens on which sessions and streams of the node stand.
    func tokenIDs() async -> Set<String> {
        var ids: Set<String> = []
        for loop in loops {
            // A loop that has ended has no sessions.
            ids.formUnion((try? await loop.eventLoop.submit { loop.value.tokenIDs }.get()) ?? [])
        }
        return ids
    }

    /// Ends the loops' clocks; nothing is fanned out behind it.
    package func stop() { forEachLoop { $0.stop() } }

    /// How many topics the node's loops follow by name.
    package var followedCount: Int { interest.withLock { $0.topics.count } }

    // MARK: From the log to the loops

    package func appended(_ events: [Event], to position: TopicPosition) {
        let topic = position.topic
        let (named, matching) = interest.withLock { $0.loops(of: topic) }
        for number in named.keys { append(events, to: position, onLoop: number) }
        for number in matching where named[number] == nil {
            append(events, to: position, onLoop: number)
        }
    }

    private func append(_ events: [Event], to position: TopicPosition, onLoop number: Int) {
        let loop = loops[number]
        LoopTasks.execute(on: loop.eventLoop) { loop.value.appended(events, to: position) }
    }

    package func together(_ body: () -> Void) { LoopTasks.together(body) }

    package func created(_ topics: [TopicName]) {
        forEachLoop { $0.created(topics) }
    }

    package func deleted(_ topic: TopicName, at position: TopicPosition?) {
        forEachLoop { $0.deleted(topic, at: position) }
    }

    package func purged(_ topic: TopicName, earliest: Offset, at position: TopicPosition?) {
        forEachLoop { $0.purged(topic, earliest: earliest, at: position) }
    }

    package func restarted(_ position: TopicPosition, fork: Offset, from old: TopicPosition) {
        forEachLoop { $0.restarted(position, fork: fork, from: old) }
    }

    // MARK: From the loops to the log

    /// The topic's own policy, as the node knows it now.
    func overflow(of topic: TopicName) -> OverflowPolicy? { log.overflow(of: topic) }

    /// Follows topics on a loop; the loop's shard is told before `completion` runs there.
    ///
    /// `isPassing`: For a walk, which passes them by.
    func follow(
        _ topics: [TopicName], onLoop number: Int, isPassing: Bool = false,
        completion: @escaping @Sendable (LoopDelivery, Result<[TopicPosition], BrokerError>) -> Void
    ) {
        let loop = loops[number]
        ordering.withLock { _ in
            interest.withLock { interest in
                for topic in topics {
                    interest.topics[topic, default: [:]][number, default: 0] += 1
                }
            }
            log.follow(topics) { result in
                loop.eventLoop.execute { [self] in
                    let shard = loop.value.shard
                    let unknown = topics.filter { !shard.follows($0) }
                    if case .success(let positions) = result {
                        shard.followed(positions, isPassing: isPassing)
                    }
                    // The question is over; what it counted for stays with a feed that is new.
                    let new = Set(unknown.filter { shard.follows($0) })
                    unfollow(topics.filter { !new.contains($0) }, onLoop: number)
                    completion(loop.value, result)
                }
            }
        }
    }

    /// The loop has one reason less to follow each of these topics.
    func unfollow(_ topics: [TopicName], onLoop number: Int) {
        ordering.withLock { _ in
            let abandoned = interest.withLock { interest in
                topics.filter { topic in
                    guard let count = interest.topics[topic]?[number] else { return false }
                    interest.topics[topic]?[number] = count > 1 ? count - 1 : nil
                    guard interest.topics[topic]?.isEmpty == true else { return false }
                    interest.topics[topic] = nil
                    return true
                }
            }
            if !abandoned.isEmpty { log.unfollow(abandoned) }
        }
    }

    /// The loop wants to be told what these patterns match.
    func patternsCame(_ patterns: [TopicPattern], onLoop number: Int) {
        ordering.withLock { _ in
            interest.withLock { interest in
                for pattern in patterns { interest.add(pattern, loop: number) }
            }
        }
    }

    /// Follows everything that the patterns match, which the loop has said it wants; `completion`
    /// comes in the FIFO of events.
    func follow(
        matching patterns: [TopicPattern], onLoop number: Int,
        completion: @escaping @Sendable (Result<Void, BrokerError>) -> Void
    ) {
        let loop = loops[number]
        ordering.withLock { _ in
            log.follow(matching: patterns) { result in
                loop.eventLoop.execute { completion(result) }
            }
        }
    }

    func patternsWent(_ patterns: [TopicPattern], onLoop number: Int) {
        ordering.withLock { _ in
            let abandoned = interest.withLock { interest in
                patterns.filter { interest.remove($0, loop: number) }
            }
            if !abandoned.isEmpty { log.unfollow(matching: abandoned) }
        }
    }

    /// Reads and encodes a page on the log's thread; the loop's shard is told on its loop.
    func read(
        _ topic: TopicName, after: Offset, events: Int, bytes: Int, in encoding: Encoding,
        onLoop number: Int
    ) {
        let loop = loops[number]
        log.page(of: topic, after: after, events: events, bytes: bytes) { result in
            let page = (try? result.get()).map { ReplayPage($0, in: encoding) }
            loop.eventLoop.execute { loop.value.shard.pageArrived(page, of: topic, after: after) }
        }
    }
}
