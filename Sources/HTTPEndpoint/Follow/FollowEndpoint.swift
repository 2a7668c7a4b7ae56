internal import AccessControl
internal import Delivery
internal import EventModel
internal import NIOHTTP1
internal import SessionProtocol
internal import Transport

/// Streams as NDJSON or server-sent events, without a WebSocket:
/// `GET /v1/topics/{topic}/events?follow`, and `GET /v1/events` of the topics in the query.
struct FollowEndpoint: Sendable {
    let log: any EventLog
    let hub: DeliveryHub
    let terms: SessionTerms
    let problems: Problems

    /// Whether a request of a topic's events asks for a stream: with `follow`, or as it takes
    /// server-sent events best.
    static func isAsked(by head: HTTPRequestHead) -> Bool {
        guard let items = try? queryItems(of: head.uri) else { return false }
        if let value = items.first(where: { $0.name == "follow" })?.value {
            return value.isEmpty || value == "true"
        }
        let accept = head.headers[canonicalForm: "accept"]
        let type = try? MediaType.preferred(by: accept, among: [.json, .eventStream])
        return type == .eventStream
    }

    /// Answers with the stream of a topic, `nil`: of those in the query, or with a problem; called
    /// on the connection's event loop.
    func follow(_ topicText: Substring?, _ request: IncomingRequest) {
        let head = request.head
        do throws(BrokerError) {
            let topic = try topicText.map { text throws(BrokerError) in try topicName(inPath: text)
            }
            let type = try MediaType.preferred(
                by: head.headers[canonicalForm: "accept"], among: StreamFormat.types)
            let id = type == .eventStream ? head.headers.first(name: "last-event-id") : nil
            let lastEventID = id?.isEmpty == true ? nil : id
            let items = try queryItems(of: head.uri)
            let query =
                if let topic {
                    try self.query(of: topic, items, lastEventID)
                } else {
                    try StreamQuery(items: items, lastEventID: lastEventID, terms: terms)
                }
            let format = StreamFormat(type: type, view: query.view, isOfTopics: topic == nil)
            let loop = hub.loop(request.connection.loopIndex)
            StreamStart.begin(
                query, isResumable: format.isOfTopics, by: Permission(of: request.identity),
                as: format.form, on: loop, log: log
            ) { result in
                switch result {
                case .success(let start): request.stream(stream(start, query, format, request))
                case .failure(let error): refuse(request, error)
                }
            }
        } catch {
            refuse(request, error)
        }
    }

    private func query(
        of topic: TopicName, _ items: [(name: String, value: String)], _ lastEventID: String?
    ) throws(BrokerError) -> StreamQuery {
        guard !items.contains(where: { $0.name == "limit" }) else {
            throw BrokerError(
                .invalidRequest, "'limit' does not fit 'follow': a stream has no end.",
                remedy: "Leave out one of them.", at: InputPlace(field: "limit"))
        }
        // One `follow` was found; a second one is told as twice there.
        let first = items.firstIndex { $0.name == "follow" }
        var query = try StreamQuery(
            of: topic, items: items.indices.filter { $0 != first }.map { items[$0] }, terms: terms)
        if let lastEventID {
            query.from = try ServerSentEvent.start(lastEventID)
            query.isResumed = true
        }
        return query
    }

    private func stream(
        _ start: StreamStart, _ query: StreamQuery, _ format: StreamFormat,
        _ request: IncomingRequest
    ) -> HTTPStream {
        var headers: HTTPHeaders = [
            "content-type": format.type.rawValue, "cache-control": "no-store",
            // nginx would hold events back until its buffers are full.
            "x-accel-buffering": "no",
        ]
        // For clients whose format has no ids.
        if format.isOfTopics {
            headers.add(name: "sluice-resume-from", value: start.position.text)
        }
        return HTTPStream(headers: headers) { stream in
            FollowConnection(
                stream, start: start, format: format, query: query, terms: terms,
                identity: request.identity)
        }
    }

    private func refuse(_ request: IncomingRequest, _ error: BrokerError) {
        request.answer(problems.answer(to: error, head: request.head))
    }
}
