internal import EventModel
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import SessionProtocol
internal import NIOHTTP1
internal import Transport

/// Reading and publishing events under the router; the publish routes lead where the hot path leads.
struct EventRoutes: Sendable {
    let log: any EventLog
    let limits: Limits
    let publishes: PublishEndpoint
    let problems: Problems
    /// The clock that `ago:` counts back from.
    let now: @Sendable () -> Timestamp

    /// Events of one page, if the request does not say.
    static let pageEvents = 100
    /// Bytes of one page (PROTOCOL 1).
    static let pageBytesMax = 4 << 20

    func add(to table: RouteTable) {
        table.on("v1/topics/:topic/events", [(.get, page), (.post, publish)])
        table.on("v1/topics/:topic/events/:offset", [(.get, event)])
        table.on("v1/events", [(.post, publishMany)])
        table.on("v1/connect", [(.get, connect)])
    }

    @Sendable private func connect(
        _ request: Request, _ context: RouteContext
    ) async throws -> HTTPAnswer {
        problems.upgradeRequired(
            "/v1/connect is a WebSocket, and the request has no 'Upgrade: websocket'.",
            head: context.incoming.head)
    }

    /// A publish that the hot path did not take: another spelling of the path, or a query.
    @Sendable private func publish(
        _ request: Request, _ context: RouteContext
    ) async throws -> HTTPAnswer {
        _ = try request.query()
        return await publish(context, to: .topic((context.parameters.get("topic") ?? "")[...]))
    }

    @Sendable private func publishMany(
        _ request: Request, _ context: RouteContext
    ) async throws -> HTTPAnswer {
        _ = try request.query()
        return await publish(context, to: .many)
    }

    private func publish(
        _ context: RouteContext, to target: PublishEndpoint.Target
    ) async -> HTTPAnswer {
        let incoming = context.incoming
        return await withCheckedContinuation { continuation in
            publishes.publish(
                IncomingRequest(
                    head: incoming.head, body: incoming.body, connection: incoming.connection,
                    answer: { continuation.resume(returning: $0) }),
                to: target)
        }
    }

    @Sendable private func event(
        _ request: Request, _ context: RouteContext
    ) async throws -> HTTPAnswer {
        _ = try request.query()
        let topic = try context.topic()
        let text = context.parameters.get("offset") ?? ""
        guard let offset = Cursor.offset(text), offset >= 1 else {
            throw BrokerError(.notFound, "\(quoted(text)) is not an offset.")
        }
        let page = try await read(topic, after: offset - 1, events: 1)
        guard offset >= page.position.earliest else {
            throw BrokerError(
                .offsetExpired,
                "Offset \(offset) of \(topic) is not kept; "
                    + "the earliest is \(page.position.earliest).")
        }
        guard let event = page.events.first, event.offset == offset else {
            throw BrokerError(
                .notFound,
                "\(topic) has no offset \(offset) yet; the latest is \(page.position.latest).",
                remedy: "Wait for it, or read what is there.")
        }
        let epoch = page.position.epoch
        return .json(
            .ok, EventMessage.encode(topic: topic, epoch: epoch, event: event),
            headers: ["etag": "\"\(Cursor(epoch: epoch, offset: offset))\""])
    }

    @Sendable private func page(
        _ request: Request, _ context: RouteContext
    ) async throws -> HTTPAnswer {
        let query = try request.query("from", "limit")
        try Self.checkAccept(request.headers[.accept])
        let topic = try context.topic()
        let from = try query["from"].map { text throws(BrokerError) in try StartPosition(text) }
        let count = try query.count("limit", default: Self.pageEvents, most: limits.pageEventsMax)
        let start = try await begin(from ?? .earliest, of: topic)
        let page = try await read(topic, after: start.after, events: count)
        let document = EventPageDocument(page: page, start: start)
        let target = "/v1/topics/\(topic)/events?from=after:\(document.cursor)&limit=\(count)"
        return .json(
            .ok, document.encode(), headers: ["link": "<\(target)>; rel=\"next\""])
    }

    private static func checkAccept(_ accept: String?) throws(BrokerError) {
        guard let accept else { return }
        let types = accept.lowercased().split(separator: ",").map { range in
            trimmed(range.prefix { $0 != ";" })
        }
        let fitting: Set<Substring> = ["application/json", "application/*", "*/*"]
        let fits = types.contains { fitting.contains($0) }
        guard fits else {
            throw BrokerError(
                .notAcceptable, "\(quoted(accept)) is not offered here.",
                remedy: "Accept application/json for pages, or connect with 'Upgrade: websocket'.")
        }
    }

    private func begin(
        _ from: StartPosition, of topic: TopicName
    ) async throws(BrokerError) -> PageStart {
        switch from {
        case .after(let cursor):
            switch try await resumption(of: topic, cursor) {
            case .goesOn: return PageStart(after: cursor.offset)
            case .reset(let fork, let reason):
                return PageStart(after: fork, reset: .init(fork: fork, reason: reason))
            }
        case .time(let time): return PageStart(after: try await first(of: topic, at: time) - 1)
        case .ago(let duration):
            let time = now().advanced(by: .zero - duration)
            return PageStart(after: try await first(of: topic, at: time) - 1)
        case .earliest, .latest, .last, .offset:
            let position = try await read(topic, after: 0, events: 1).position
            guard let start = try PageStart(from, in: position) else {
                preconditionFailure("bug: \(from) is not decided by a topic's ends")
            }
            return start
        }
    }

    private func resumption(
        of topic: TopicName, _ cursor: Cursor
    ) async throws(BrokerError) -> Resumption {
        let answers = try await called { log.resume([topic: cursor], completion: $0) }
        guard let answer = answers[topic] else { throw Self.unknown(topic) }
        return answer
    }

    private func first(
        of topic: TopicName, at time: Timestamp
    ) async throws(BrokerError) -> Offset {
        let offsets = try await called { log.offsets(of: [topic], at: time, completion: $0) }
        guard let offset = offsets[topic] else { throw Self.unknown(topic) }
        return offset
    }

    private func read(
        _ topic: TopicName, after: Offset, events: Int
    ) async throws(BrokerError) -> EventPage {
        try await called {
            log.page(
                of: topic, after: after, events: events, bytes: Self.pageBytesMax, completion: $0)
        }
    }

    private static func unknown(_ topic: TopicName) -> BrokerError {
        BrokerError(.topicNotFound, "There is no topic \(quoted(topic.text)).")
    }
}

/// Waits for a completion.
private func called<Value: Sendable>(
    _ call: (@escaping @Sendable (Result<Value, BrokerError>) -> Void) -> Void
) async throws(BrokerError) -> Value {
    let result = await withCheckedContinuation { continuation in
        call { continuation.resume(returning: $0) }
    }
    return try result.get()
}
