internal import Delivery
internal import EventModel
internal import NIOCore
internal import NIOHTTP1
internal import SessionProtocol
internal import Transport

/// Publishing and reading events.
struct EventRoutes: Sendable {
    let log: any EventLog
    /// What waits for events hears of them here.
    let hub: DeliveryHub
    let limits: Limits
    let problems: Problems
    /// The clock that `ago:` counts back from.
    let now: @Sendable () -> Timestamp

    var routes: [Route] {
        [
            Route(
                method: .POST, path: "/v1/topics/{topic}/events",
                summary: "Publishes one event, or one a line, to a topic.",
                headers: EventDescriptions.publishHeaders,
                bodies: [.json, .ndjson, .cloudEvent, .cloudEventBatch],
                bodySchemas: EventDescriptions.publishBodies, bodyBytesMax: limits.bodyBytesMax,
                results: EventDescriptions.published, action: .publish),
            Route(
                method: .POST, path: "/v1/events",
                summary: "Publishes lines to many topics, all or nothing.",
                headers: [EventDescriptions.idempotencyKey], bodies: [.ndjson],
                bodySchemas: [.ndjson: DocumentSchemas.reference("PublishLine")],
                bodyBytesMax: limits.bodyBytesMax, results: [EventDescriptions.publishedMany],
                action: .publishMany),
            Route(
                method: .GET, path: "/v1/topics/{topic}/events",
                summary: "Reads a page of a topic's events; 'follow' and WebSockets stream them.",
                access: .reader, query: EventDescriptions.pageQuery(limits),
                headers: [EventDescriptions.lastEventID],
                answers: [.json, .ndjson, .cloudEventBatch], webSocket: .stream,
                webSocketQuery: EventDescriptions.streamQuery, isFollowed: true,
                results: [EventDescriptions.page],
                errors: EventDescriptions.pageErrors, action: .answer(page)),
            Route(
                method: .GET, path: "/v1/events",
                summary: "Streams the events of topics and patterns.",
                query: EventDescriptions.topicsQuery, headers: [EventDescriptions.lastEventID],
                answers: StreamFormat.types, results: [EventDescriptions.topicsStream],
                errors: [.invalidPattern, .invalidStart, .invalidFilter, .ephemeralTopic],
                action: .follow),
            Route(
                method: .GET, path: "/v1/topics/{topic}/events/{offset}",
                summary: "Reads one event.", access: .reader,
                headers: [EventDescriptions.ifNoneMatch], answers: [.json, .cloudEvent],
                results: EventDescriptions.event,
                errors: [.topicNotFound, .offsetExpired], action: .answer(event)),
            Route(
                method: .GET, path: "/v1/connect", summary: "A session, over a WebSocket.",
                webSocket: .session, webSocketQuery: EventDescriptions.sessionQuery,
                results: [RouteResult(status: 101, text: "It is a WebSocket now.")],
                action: .answer(connect)),
        ]
    }

    @Sendable private func connect(_ request: RouteRequest) async throws -> HTTPAnswer {
        problems.upgradeRequired(
            "/v1/connect is a WebSocket, and the request has no 'Upgrade: websocket'.",
            head: request.incoming.head)
    }

    @Sendable private func event(_ request: RouteRequest) async throws -> HTTPAnswer {
        let topic = try request.topic()
        let text = String(request.parameters[1])
        guard let offset = Cursor.offset(text), offset >= 1 else {
            throw BrokerError(.notFound, "\(quoted(text)) is not an offset.")
        }
        let page = try await oneEvent(of: topic, after: offset - 1)
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
        let cursor = Cursor(epoch: epoch, offset: offset)
        let isCloudEvent = request.answerType == .cloudEvent
        // A topic of the name may begin anew, so that a copy has to be asked about.
        let tag = EntityTag(
            isCloudEvent ? "\(cursor)-cloudevent" : "\(cursor)", cacheControl: "no-cache")
        return tag.answer(to: request) {
            isCloudEvent
                ? .cloudEvent(topic: topic, epoch: epoch, event: event)
                : .json(.ok, EventMessage.encode(topic: topic, epoch: epoch, event: event))
        }
    }

    @Sendable private func page(_ request: RouteRequest) async throws -> HTTPAnswer {
        if let follow = request.query["follow"], follow != "false" {
            throw BrokerError(
                .invalidRequest, "'follow' is \(quoted(follow)), not 'true' or 'false'.",
                at: InputPlace(field: "follow"))
        }
        let question = try PageQuestion(request, limits: limits)
        let page = try await page(question, request.incoming)
        return EventPageAnswer(
            page: page, question: question, type: request.answerType, now: now()
        ).answer(problems, head: request.incoming.head)
    }

    /// A page that tells something, or the one that there is when the wait is over.
    private func page(
        _ question: PageQuestion, _ request: IncomingRequest
    ) async throws(BrokerError) -> EventPageDocument {
        let deadline = ContinuousClock.now + question.wait
        var question = question
        var known: TopicPosition?
        while true {
            let page = try await knownPage(question)
            let timeLeft = deadline - .now
            guard timeLeft > .zero, page?.isEmpty ?? true else {
                guard let page else { throw Self.unknown(question.topic) }
                return page
            }
            let events = AwaitedEvents(question, behind: page?.cursor, limits: limits)
            let outcome = await PageWait.outcome(
                of: events, in: question.topic, known: known, for: timeLeft, request, hub: hub)
            switch outcome {
            case .found(.page(let found, let seen)): return EventPageDocument(found, seen)
            case .found(.askAgain(let position)):
                known = position
                question.from = page.map { .after($0.cursor) } ?? question.from.onceCreated
            case .over(let passed):
                guard let page else { throw Self.unknown(question.topic) }
                return passed.map { EventPageDocument($0.page, $0.seen) } ?? page
            case .failed(let error): throw error
            }
        }
    }

    /// What the log says; `nil`: there is no topic yet, and the question waits for one.
    private func knownPage(
        _ question: PageQuestion
    ) async throws(BrokerError) -> EventPageDocument? {
        do throws(BrokerError) { return try await read(question) } catch {
            if case .after = question.from { throw error }
            guard error.code == .topicNotFound, question.wait > .zero else { throw error }
            return nil
        }
    }

    private func read(_ question: PageQuestion) async throws(BrokerError) -> EventPageDocument {
        let topic = question.topic
        let start = try await begin(question.from, of: topic)
        var scan = PageScan(
            after: start.after, events: question.count, filter: question.filter, limits: limits)
        while let next = scan.question {
            scan.take(
                try await read(topic, after: next.after, events: next.events, bytes: next.bytes))
        }
        guard let page = scan.page else { preconditionFailure("bug: a page without a read") }
        try question.from.checkFits(page.position)
        return EventPageDocument(page: page, seen: scan.seen, start: start)
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
        case .mark(let mark):
            let offsets = try await called {
                log.offsets(of: [topic], asOf: mark.mark, completion: $0)
            }
            guard let first = offsets[topic] else { throw Self.unknown(topic) }
            let earliest = try await oneEvent(of: topic, after: 0).position.earliest
            return PageStart(after: mark.cursor(first: first, earliest: earliest))
        case .earliest, .latest, .last, .offset:
            let position = try await oneEvent(of: topic, after: 0).position
            try from.checkFits(position)
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

    private func oneEvent(
        of topic: TopicName, after: Offset
    ) async throws(BrokerError) -> EventPage {
        try await read(topic, after: after, events: 1, bytes: limits.answerPageBytesMax)
    }

    private func read(
        _ topic: TopicName, after: Offset, events: Int, bytes: Int
    ) async throws(BrokerError) -> EventPage {
        try await called {
            log.page(of: topic, after: after, events: events, bytes: bytes, completion: $0)
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
