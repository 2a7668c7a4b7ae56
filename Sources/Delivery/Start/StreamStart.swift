package import AccessControl
package import EventModel
package import FanOut
internal import NIOCore
package import SessionProtocol

/// In which form a stream goes out.
package struct StreamForm {
    package let encoding: Encoding
    /// Says what stands before all messages of a stream that begins at a position.
    package let begin: (Outlet, StreamPosition) -> Void

    package init(
        encoding: Encoding, begin: @escaping (Outlet, StreamPosition) -> Void = { _, _ in }
    ) {
        self.encoding = encoding
        self.begin = begin
    }
}

/// A stream that has begun before the head of its answer leaves: whatever is acknowledged after the
/// head is delivered (doc:HTTP).
///
/// It has joined its topics, and what comes waits for the connection. If that never comes, because
/// the client has gone, or wanted a head only, it ends with this. Confined to its loop.
package final class StreamStart {
    /// Where its client stands.
    package let position: StreamPosition
    private let outlet: NIOLoopBound<Outlet>
    private var isTaken = false

    private init(_ outlet: Outlet, position: StreamPosition) {
        self.position = position
        self.outlet = NIOLoopBound(outlet, eventLoop: outlet.loop.eventLoop)
    }

    deinit {
        guard !isTaken else { return }
        outlet.eventLoop.execute { [outlet] in outlet.value.closed() }
    }

    /// The delivering half of its connection, which ends it from now on.
    package func takeOutlet() -> Outlet {
        precondition(!isTaken, "bug: a stream has two connections")
        isTaken = true
        return outlet.value
    }

    /// Begins a stream as its query says; `completion` is called once, on the loop.
    ///
    /// `isResumable`: Its position has to hold for topics that come later, too, which is a question
    /// to the log. Otherwise it has the cursors of the topics that are named.
    package static func begin(
        _ query: StreamQuery, isResumable: Bool, by permission: Permission, as form: StreamForm,
        on loop: LoopDelivery, log: any EventLog,
        completion: @escaping (Result<StreamStart, BrokerError>) -> Void
    ) {
        var question: StartOperation.Question
        do throws(BrokerError) {
            question = try StartOperation.Question(
                patterns: query.patterns, from: query.from, cursors: query.cursors, by: permission)
        } catch {
            return completion(.failure(error))
        }
        question.isAsked = !query.isResumed
        let outlet = Outlet(loop: loop, encoding: form.encoding)
        guard
            let subscription = outlet.makeSubscription(
                id: nil, of: question, options: query.options, filter: query.filter)
        else { preconditionFailure("bug: an outlet that was never open is over") }
        loop.shard.register(subscription)
        let now = Moment.now
        let look = { [question] (mark: StartPosition?) in
            let operation = StartOperation(question, loop: loop, log: log) { result in
                switch result {
                case .success(let starts):
                    let position = StreamPosition(
                        start: mark ?? query.from.ofUnseenTopics(began: now.time),
                        cursors: question.cursors(standingAt: starts), behind: query.position)
                    form.begin(outlet, position)
                    loop.shard.join(
                        subscription, starts, gone: question.gone(beside: starts),
                        walk: StartWalk(question, now: now, loop: loop, log: log))
                    completion(.success(StreamStart(outlet, position: position)))
                case .failure(let error):
                    outlet.closed()
                    completion(.failure(error))
                }
            }
            operation.run(now: now)
        }
        guard isResumable else { return look(nil) }
        ResumePoint.find(for: query.from, now: now, on: loop, log: log, completion: look)
    }
}

@available(*, unavailable) extension StreamStart: Sendable {}

extension StartOperation.Question {
    /// Where the client stands: at its own cursors, verbatim, or before its start, in the topics
    /// that it names or has cursors of, and that exist or that it has known.
    fileprivate func cursors(standingAt starts: [ReaderStart]) -> [TopicName: Cursor] {
        var standing = cursors
        if case .after(let cursor) = from, let name = patterns.first?.exactName {
            standing[name] = standing[name] ?? cursor
        }
        for start in starts where standing[start.feed.topic] == nil {
            standing[start.feed.topic] = Cursor(epoch: start.feed.epoch, offset: start.cursor)
        }
        return standing
    }
}
