internal import AccessControl
internal import EventModel
internal import NIOCore
internal import NIOHTTP1
internal import Transport

/// Publishes: from a request to the log and back, on the connection's event loop, without a task.
///
/// The order of a connection's publishes to a topic is kept, also when one of them has to wait for
/// its token or its condition.
final class PublishEndpoint: Sendable {
    let log: any EventLog
    let access: RequestAccess
    let limits: Limits
    let createsTopics: Bool
    let sha256: SHA256
    let problems: Problems
    private let order = ConnectionOrder()

    init(
        log: any EventLog, access: RequestAccess, limits: Limits, createsTopics: Bool,
        sha256: @escaping SHA256, problems: Problems
    ) {
        self.log = log
        self.access = access
        self.limits = limits
        self.createsTopics = createsTopics
        self.sha256 = sha256
        self.problems = problems
    }

    /// Where a publish goes; the topic is as it stands in the path.
    enum Target: Sendable {
        case topic(Substring)
        case many
    }

    /// Understood, and waiting for nothing but its condition.
    private enum Prepared {
        case one(PublishRequest)
        case many(ManyTopicsRequest)
    }

    /// Answers a publish; called on the connection's event loop.
    func publish(_ request: IncomingRequest, to target: Target) {
        guard order.isHeld(request.connection) else { return start(request, target) }
        order.wait(request.connection) { [self] in start(request, target) }
    }

    private func start(_ request: IncomingRequest, _ target: Target) {
        access.identify(request) { [self] result in
            switch result {
            case .known(.success(let identity)): go(request, target, identity, isHeld: false)
            case .known(.failure(let error)): refuse(request, error)
            case .pending: order.hold(request.connection)
            case .later(.success(let identity)): go(request, target, identity, isHeld: true)
            case .later(.failure(let error)):
                refuse(request, error)
                order.release(request.connection)
            }
        }
    }

    /// Goes on with a sender who is known; if `isHeld`, the connection's next publishes wait for this one.
    private func go(
        _ request: IncomingRequest, _ target: Target, _ identity: Identity?, isHeld: Bool
    ) {
        do throws(BrokerError) {
            let prepared = try prepare(request, target, identity)
            if case .one(let publish) = prepared, case .head(let cursor) = publish.condition {
                if !isHeld { order.hold(request.connection) }
                return check(cursor, of: publish, request)
            }
            append(prepared, request)
        } catch {
            refuse(request, error)
        }
        if isHeld { order.release(request.connection) }
    }

    private func prepare(
        _ request: IncomingRequest, _ target: Target, _ identity: Identity?
    ) throws(BrokerError) -> Prepared {
        let body = Array(request.body.readableBytesView)
        switch target {
        case .topic(let text):
            let topic = try topicName(inPath: text)
            var publish = try PublishRequest(
                topic: topic, fields: PublishFields(request.head.headers), body: body,
                limits: limits, sha256: sha256)
            publish.append.createsTopics = createsTopics
            publish.append.publisher = identity?.tokenID ?? ""
            return .one(publish)
        case .many:
            var publish = try ManyTopicsRequest(
                fields: PublishFields(request.head.headers), body: body, limits: limits,
                sha256: sha256)
            publish.append.createsTopics = createsTopics
            publish.append.publisher = identity?.tokenID ?? ""
            return .many(publish)
        }
    }

    private func append(_ prepared: Prepared, _ request: IncomingRequest) {
        switch prepared {
        case .one(let publish):
            log.append(publish.append) { [self] result in
                switch result {
                case .success(let receipts): request.answer(PublishAnswers.one(receipts[0]))
                case .failure(let error): refuse(request, error)
                }
            }
        case .many(let publish):
            let places = publish.places
            log.append(publish.append) { [self] result in
                switch result {
                case .success(let receipts):
                    request.answer(PublishAnswers.many(places, receipts: receipts))
                case .failure(let error): refuse(request, error)
                }
            }
        }
    }

    /// Asks whether the cursor would resume silently, and appends on the condition of its offset (PROTOCOL 3).
    ///
    /// Only the database knows: an offset alone could be another event's after a restore.
    private func check(_ cursor: Cursor, of publish: PublishRequest, _ request: IncomingRequest) {
        let topic = publish.append.parts[0].topic
        log.resume([topic: cursor]) { [self] result in
            request.onLoop { [self] in
                switch result {
                case .success(let answers) where answers[topic] == .goesOn:
                    var publish = publish
                    publish.append.parts[0].expectedHead = cursor.offset
                    publish.append.parts[0].expectedEpoch = cursor.epoch
                    append(.one(publish), request)
                case .success: tellHead(of: topic, expected: cursor, request)
                case .failure(let error): refuse(request, error)
                }
                order.release(request.connection)
            }
        }
    }

    private func tellHead(
        of topic: TopicName, expected: Cursor, _ request: IncomingRequest
    ) {
        log.page(of: topic, after: expected.offset, events: 1, bytes: 1) { [self] result in
            switch result {
            case .success(let page):
                let position = page.position
                var error = BrokerError(
                    .headMoved, "The head of \(topic) is not \(quoted(expected.description)).")
                error.head = Cursor(epoch: position.epoch, offset: position.latest)
                refuse(request, error)
            case .failure(let error) where error.code == .topicNotFound:
                refuse(request, BrokerError(.headMoved, "The topic \(topic) does not exist."))
            case .failure(let error): refuse(request, error)
            }
        }
    }

    /// Every refusal of a publish says whether the events are in the log; if nobody said so, they never went there.
    private func refuse(_ request: IncomingRequest, _ error: BrokerError) {
        var error = error
        error.committed = error.committed ?? .no
        request.answer(problems.answer(to: error, head: request.head))
    }
}
