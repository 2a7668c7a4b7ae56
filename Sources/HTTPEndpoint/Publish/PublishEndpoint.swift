internal import EventModel
internal import NIOCore
internal import NIOHTTP1
internal import Publishing
internal import Transport

/// Publishes over HTTP: from a request to the publisher and back, on the connection's event loop,
/// without a task.
final class PublishEndpoint: Sendable {
    let publisher: Publisher
    let limits: Limits
    let problems: Problems

    init(publisher: Publisher, limits: Limits, problems: Problems) {
        self.publisher = publisher
        self.limits = limits
        self.problems = problems
    }

    /// Where a publish goes; the topic is as it stands in the path.
    enum Target: Sendable {
        case topic(Substring)
        case many
    }

    /// Answers a publish; called on the connection's event loop.
    func publish(_ request: IncomingRequest, to target: Target) {
        let publish: PublishRequest
        do throws(BrokerError) {
            publish = try parse(request, target)
        } catch {
            return refuse(request, error)
        }
        let isWhole: Bool
        switch publish.content {
        case .toOne: isWhole = true
        // A batch of CloudEvents may be empty (HTTP binding 3.3.2).
        case .toMany(let events) where events.isEmpty:
            return request.answer(PublishAnswers.none)
        case .toMany: isWhole = false
        }
        publisher.publish(publish, by: request.identity) { [self] result in
            switch result {
            case .success(let answer) where isWhole:
                request.answer(PublishAnswers.one(answer.whole))
            case .success(let answer): request.answer(PublishAnswers.many(answer))
            case .failure(let error): refuse(request, error)
            }
        }
    }

    private func parse(
        _ request: IncomingRequest, _ target: Target
    ) throws(BrokerError) -> PublishRequest {
        _ = try Query(RequestTarget(request.head.uri).query, known: [])
        let body = Array(request.body.readableBytesView)
        switch target {
        case .topic(let text):
            let topic = try topicName(inPath: text)
            return try PublishRequest(
                to: topic, fields: PublishFields(request.head.headers), body: body, limits: limits)
        case .many:
            return try PublishRequest(
                fields: PublishFields(request.head.headers), body: body, limits: limits)
        }
    }

    private func refuse(_ request: IncomingRequest, _ error: BrokerError) {
        request.answer(problems.answer(to: error.ofPublish, head: request.head))
    }
}
