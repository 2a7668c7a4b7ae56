internal import AccessControl
internal import EventModel
internal import NIOCore
internal import NIOHTTP1
internal import Transport

/// Publishes: from a request to the log and back, on the connection's event loop, without a task.
///
/// The order of a connection's publishes to a topic is kept, also when the condition of one of them
/// has to be asked of the database: those behind it wait with it.
final class PublishEndpoint: Sendable {
    let log: any EventLog
    let limits: Limits
    let createsTopics: Bool
    let sha256: SHA256
    let problems: Problems

    init(
        log: any EventLog, limits: Limits, createsTopics: Bool, sha256: @escaping SHA256,
        problems: Problems
    ) {
        self.log = log
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
        let order = request.connection.order.value
        if order.isHeld {
            order.wait { self.start(request, target) }
        } else {
            start(request, target)
        }
    }

    private func start(_ request: IncomingRequest, _ target: Target) {
        do throws(BrokerError) {
            let prepared = try prepare(request, target)
            if case .one(let publish) = prepared, case .head(let cursor) = publish.condition {
                request.connection.order.value.hold()
                return check(cursor, of: publish, request)
            }
            append(prepared, request)
        } catch {
            refuse(request, error)
        }
    }

    private func prepare(
        _ request: IncomingRequest, _ target: Target
    ) throws(BrokerError) -> Prepared {
        _ = try Query(RequestTarget(request.head.uri).query, known: [])
        let body = Array(request.body.readableBytesView)
        switch target {
        case .topic(let text):
            let topic = try topicName(inPath: text)
            var publish = try PublishRequest(
                topic: topic, fields: PublishFields(request.head.headers), body: body,
                limits: limits, sha256: sha256)
            publish.append.createsTopics = createsTopics
            publish.append.publisher = request.identity?.tokenID ?? ""
            return .one(publish)
        case .many:
            var publish = try ManyTopicsRequest(
                fields: PublishFields(request.head.headers), body: body, limits: limits,
                sha256: sha256)
            publish.append.createsTopics = createsTopics
            publish.append.publisher = request.identity?.tokenID ?? ""
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

    /// Asks whether the cursor would resume silently, and appends on the condition of its offset
    /// (doc:HTTP).
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
                request.connection.order.value.release()
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

    /// Every refusal of a publish says whether the events are in the log; if nobody said so, they
    /// never went there.
    private func refuse(_ request: IncomingRequest, _ error: BrokerError) {
        var error = error
        error.committed = error.committed ?? .no
        request.answer(problems.answer(to: error, head: request.head))
    }
}
