package import AccessControl
package import EventModel
internal import FanOut
package import SessionProtocol

/// Where a stream of one topic begins: fixed before the head of its answer leaves, so that whatever
/// is acknowledged after the head is delivered (doc:HTTP).
///
/// Confined to its loop.
package struct TopicStart {
    private let question: StartOperation.Question
    /// `nil`: the topic did not exist.
    private let start: ReaderStart?

    /// Fixes where `from` is now; `completion` is called once, on the loop.
    package static func fix(
        _ topic: TopicName, _ from: StartPosition, by permission: Permission,
        on loop: LoopDelivery, log: any EventLog,
        completion: @escaping (Result<TopicStart, BrokerError>) -> Void
    ) {
        let question: StartOperation.Question
        do throws(BrokerError) {
            question = try StartOperation.Question(
                patterns: [TopicPattern(topic)], from: from, by: permission)
        } catch {
            return completion(.failure(error))
        }
        let operation = StartOperation(question, loop: loop, log: log) { result in
            completion(result.map { TopicStart(question: question, start: $0.first) })
        }
        operation.run(now: .now)
    }

    /// Where it is, for a stream that begins there again.
    package var position: StartPosition {
        if let start { return .after(Cursor(epoch: start.feed.epoch, offset: start.cursor)) }
        if case .after = question.from { return question.from }
        return .offset(1)
    }

    /// Begins delivery from here, as the query says; `failed` is called if that turns out to be
    /// impossible.
    package func join(
        _ outlet: Outlet, _ query: StreamQuery, log: any EventLog, failed: @escaping () -> Void
    ) {
        guard
            let subscription = outlet.makeSubscription(
                id: nil, of: question, options: query.options, filter: query.filter)
        else { return }
        let loop = outlet.loop
        loop.shard.register(subscription)
        if let start, loop.shard.feed(of: start.feed.topic) === start.feed {
            return loop.shard.join(subscription, [start], gone: [])
        }
        // It may have come into being between the start and the registration: then nothing of it
        // was before the start.
        var again = question
        again.isAsked = false
        if case .after = question.from {} else { again.from = .offset(1) }
        let operation = StartOperation(again, loop: loop, log: log) { [again] result in
            guard outlet.has(subscription) else { return }
            switch result {
            case .success(let starts):
                loop.shard.join(subscription, starts, gone: again.gone(beside: starts))
            // Nobody would tell of it again; the client comes back and has its start fixed anew.
            case .failure: failed()
            }
        }
        operation.run(now: .now)
    }
}
