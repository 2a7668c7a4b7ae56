internal import AccessControl
internal import Delivery
internal import EventModel
internal import NIOHTTP1
internal import SessionProtocol
internal import Transport

/// `GET /v1/topics/{topic}/events?follow`: the topic's stream as NDJSON or server-sent events,
/// without a WebSocket.
struct FollowEndpoint: Sendable {
    let log: any EventLog
    let hub: DeliveryHub
    let terms: SessionTerms
    let problems: Problems

    /// Whether a request asks for a stream: with `follow`, or as it takes server-sent events best.
    static func isAsked(by head: HTTPRequestHead) -> Bool {
        guard let items = try? queryItems(of: head.uri) else { return false }
        if let value = items.first(where: { $0.name == "follow" })?.value {
            return value.isEmpty || value == "true"
        }
        let accept = head.headers[canonicalForm: "accept"]
        let type = try? MediaType.preferred(by: accept, among: [.json, .eventStream])
        return type == .eventStream
    }

    /// Answers with the stream, or with a problem; called on the connection's event loop.
    func follow(_ topicText: Substring, _ request: IncomingRequest) {
        do throws(BrokerError) {
            let topic = try topicName(inPath: topicText)
            let format = StreamFormat(
                try .preferred(
                    by: request.head.headers[canonicalForm: "accept"], among: StreamFormat.types))
            let query = try query(of: request.head, format)
            let loop = hub.loop(request.connection.loopIndex)
            TopicStart.fix(
                topic, query.from, by: Permission(of: request.identity), on: loop, log: log
            ) { result in
                switch result {
                case .success(let start):
                    request.stream(stream(from: start, query, format, loop, request))
                case .failure(let error): refuse(request, error)
                }
            }
        } catch {
            refuse(request, error)
        }
    }

    private func query(
        of head: HTTPRequestHead, _ format: StreamFormat
    ) throws(BrokerError) -> StreamQuery {
        let items = try queryItems(of: head.uri)
        guard !items.contains(where: { $0.name == "limit" }) else {
            throw BrokerError(
                .invalidRequest, "'limit' does not fit 'follow': a stream has no end.",
                remedy: "Leave out one of them.", at: InputPlace(field: "limit"))
        }
        // One `follow` was found; a second one is told as twice there.
        let first = items.firstIndex { $0.name == "follow" }
        var query = try StreamQuery(
            items: items.indices.filter { $0 != first }.map { items[$0] }, terms: terms)
        if format == .serverSentEvents, let id = head.headers.first(name: "last-event-id"),
            !id.isEmpty
        {
            query.from = try ServerSentEvent.start(id)
        }
        return query
    }

    private func stream(
        from start: TopicStart, _ query: StreamQuery, _ format: StreamFormat,
        _ loop: LoopDelivery, _ request: IncomingRequest
    ) -> HTTPStream {
        let headers: HTTPHeaders = [
            "content-type": format.type.rawValue, "cache-control": "no-store",
            // nginx would hold events back until its buffers are full.
            "x-accel-buffering": "no",
        ]
        return HTTPStream(headers: headers) { stream in
            let connection = FollowConnection(
                stream, loop: loop, format: format, query: query, terms: terms,
                identity: request.identity)
            connection.begin(start, log: log)
            return connection
        }
    }

    private func refuse(_ request: IncomingRequest, _ error: BrokerError) {
        request.answer(problems.answer(to: error, head: request.head))
    }
}
