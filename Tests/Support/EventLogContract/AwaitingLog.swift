package import EventModel

/// The completions of a log as `async` functions, for tests.
extension EventLog {
    package func append(
        _ request: AppendRequest
    ) async -> Result<[AppendReceipt], BrokerError> {
        await withCheckedContinuation { continuation in
            append(request) { continuation.resume(returning: $0) }
        }
    }

    /// Appends JSON texts to one topic.
    @discardableResult
    package func append(
        _ texts: [String], to topic: TopicName, head: Offset? = nil, key: String? = nil
    ) async -> Result<[AppendReceipt], BrokerError> {
        await append(.fixture(topic, texts, head: head, key: key))
    }

    /// Follows, and tells the sink where, before anything else is told.
    package func follow(_ topics: [TopicName], sink: RecordingSink) async throws(BrokerError) {
        let result: Result<[TopicPosition], BrokerError> = await withCheckedContinuation {
            continuation in
            follow(topics) { result in
                if case .success(let positions) = result { sink.positioned(positions) }
                continuation.resume(returning: result)
            }
        }
        _ = try result.get()
    }

    /// Follows everything that matches.
    package func follow(matching pattern: TopicPattern) async throws(BrokerError) {
        let result: Result<Void, BrokerError> = await withCheckedContinuation { continuation in
            follow(matching: [pattern]) { continuation.resume(returning: $0) }
        }
        try result.get()
    }

    package func topics(matching pattern: TopicPattern) -> [TopicName] {
        topics(matching: [pattern], after: nil, count: .max)
    }

    package func page(
        of topic: TopicName, after: Offset, events: Int = 1000, bytes: Int = 1 << 20
    ) async throws(BrokerError) -> EventPage {
        let result: Result<EventPage, BrokerError> = await withCheckedContinuation { continuation in
            page(of: topic, after: after, events: events, bytes: bytes) {
                continuation.resume(returning: $0)
            }
        }
        return try result.get()
    }

    /// Every event that the log keeps of a topic.
    package func allEvents(of topic: TopicName) async throws(BrokerError) -> [Event] {
        var events: [Event] = []
        var after: Offset = 0
        while true {
            let page = try await page(of: topic, after: after)
            guard let last = page.events.last else { return events }
            events += page.events
            after = last.offset
        }
    }

    package func offsets(
        of topics: [TopicName], at time: Timestamp
    ) async throws(BrokerError) -> [TopicName: Offset] {
        let result: Result<LogAnswers<Offset>, BrokerError> = await withCheckedContinuation {
            continuation in
            offsets(of: topics, at: time) { continuation.resume(returning: $0) }
        }
        return try result.get().topics
    }

    package func mark() async throws(BrokerError) -> LogMark {
        let result: Result<LogMark, BrokerError> = await withCheckedContinuation { continuation in
            mark { continuation.resume(returning: $0) }
        }
        return try result.get()
    }

    package func offsets(
        of topics: [TopicName], asOf mark: LogMark
    ) async throws(BrokerError) -> [TopicName: Offset] {
        let result: Result<LogAnswers<Offset>, BrokerError> = await withCheckedContinuation {
            continuation in
            offsets(of: topics, asOf: mark) { continuation.resume(returning: $0) }
        }
        return try result.get().topics
    }

    package func resume(
        _ cursors: [TopicName: Cursor]
    ) async throws(BrokerError) -> [TopicName: Resumption] {
        let result: Result<LogAnswers<Resumption>, BrokerError> = await withCheckedContinuation {
            continuation in
            resume(cursors) { continuation.resume(returning: $0) }
        }
        return try result.get().topics
    }
}

extension AppendRequest {
    /// One part of JSON texts; the digest of a key is made of them.
    package static func fixture(
        _ topic: TopicName, _ texts: [String], head: Offset? = nil, key: String? = nil
    ) -> AppendRequest {
        AppendRequest(parts: [.fixture(topic, texts, head: head, key: key)])
    }
}

extension AppendRequest.Part {
    package static func fixture(
        _ topic: TopicName, _ texts: [String], head: Offset? = nil, key: String? = nil
    ) -> AppendRequest.Part {
        var digest = [UInt8](repeating: 0, count: 16)
        for (index, byte) in texts.joined(separator: "\n").utf8.enumerated() {
            digest[index % 16] = digest[index % 16] &* 31 &+ byte
        }
        return AppendRequest.Part(
            topic: topic, events: texts.map { NewEvent(data: Array($0.utf8)) }, expectedHead: head,
            idempotency: key.map { IdempotencyKey(text: "k:\($0)", digest: digest) })
    }
}
