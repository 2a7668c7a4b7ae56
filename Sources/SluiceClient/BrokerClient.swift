internal import EventModel
internal import NIOHTTP1
internal import SessionProtocol

/// A client of one broker: publishes, subscribes and manages topics.
///
/// Usable from any task; connections are opened when they are needed and kept: one for requests,
/// and one for all subscriptions that do not overlap. Errors are `SluiceError`, or
/// `CancellationError` when the task is cancelled; a publish that is cancelled may have been
/// committed.
public final class BrokerClient: Sendable {
    let connector: BrokerConnector
    let caller: HTTPCaller
    let sessions: SessionPool

    /// Makes a client; nothing is connected yet.
    ///
    /// - Parameter configuration: Where the broker is, and how to show who asks.
    /// - Throws: When the token is none, or the file of authorities can't be used.
    public init(_ configuration: ClientConfiguration) throws(SluiceError) {
        connector = try BrokerConnector(configuration)
        caller = HTTPCaller(connector)
        sessions = SessionPool(connector)
    }

    // MARK: Publishing

    /// Publishes one event; when this returns, it is committed.
    ///
    /// - Parameters:
    ///   - event: Its data is kept byte for byte.
    ///   - idempotencyKey: Publishing the same with the same key appends nothing and gives the
    ///     first result. Without one, and without an event id, a random one is used, so that a lost
    ///     connection never publishes twice; but to an ephemeral topic, which remembers none.
    ///   - patience: How long to try again while the broker is busy or away; a broker that was
    ///     never reached is not waited for.
    /// - Returns: Where it was appended.
    /// - Throws: `SluiceError`; with `retryAfter` the same request may be sent again.
    public func publish(
        _ event: OutgoingEvent, idempotencyKey: String? = nil,
        retryingFor patience: Duration = .zero
    ) async throws -> PublishResult {
        let event = try event.checked()
        guard let labels = event.headers else {
            return try await publish(
                [event], idempotencyKey: idempotencyKey, retryingFor: patience)[0]
        }
        let headers = labels + [("Content-Type", "application/json")]
        let target = RequestTarget.events(of: try Self.name(event.topic))
        let body = try await post(
            event.data, to: target, headers, idempotencyKey: idempotencyKey,
            hasIDs: event.eventID != nil, retryingFor: patience)
        guard let fields = try? JSONFields(body), let result = PublishResult(fields, json: body)
        else {
            throw SluiceError.notSluice(connector.configuration.address, "no result of a publish")
        }
        return result
    }

    /// Publishes events of any topics, all or none; when this returns, they are committed.
    ///
    /// - Parameters:
    ///   - events: At most what one request may hold, by default 10,000 events and 16 MiB. If all
    ///     have ids, these tell repeats; otherwise the key does, for the whole request.
    ///   - idempotencyKey: As for one event.
    ///   - patience: As for one event.
    /// - Returns: Where they were appended, in the order of `events`.
    /// - Throws: `SluiceError`; then none of them was published, unless the code is
    ///   `outcome_unknown` or `unreachable`.
    public func publish(
        _ events: [OutgoingEvent], idempotencyKey: String? = nil,
        retryingFor patience: Duration = .zero
    ) async throws -> [PublishResult] {
        guard !events.isEmpty else { return [] }
        var lines: [UInt8] = []
        for (index, event) in events.enumerated() {
            do throws(SluiceError) {
                try event.checked().appendLine(to: &lines)
            } catch {
                var error = error
                error.message = "Event \(index + 1) of \(events.count): \(error.message)"
                throw error
            }
        }
        let answer = try await post(
            lines, to: .events, [("Content-Type", "application/x-ndjson")],
            idempotencyKey: idempotencyKey, hasIDs: events.allSatisfy { $0.eventID != nil },
            retryingFor: patience)
        let results = (try? JSONFields(answer))?.rawElements("results").compactMap { json in
            (try? JSONFields(json)).flatMap { PublishResult($0, json: json) }
        }
        guard let results, results.count == events.count else {
            throw SluiceError.notSluice(connector.configuration.address, "not a result an event")
        }
        return results
    }

    /// Posts events, with a random key where they have neither a key nor ids of their own.
    private func post(
        _ body: [UInt8], to target: RequestTarget, _ headers: [(String, String)],
        idempotencyKey: String?, hasIDs: Bool, retryingFor patience: Duration
    ) async throws -> [UInt8] {
        let key = try idempotencyKey.map(Self.checkedKey) ?? (hasIDs ? nil : Self.randomKey())
        let keyed = headers + (key.map { [("Idempotency-Key", $0)] } ?? [])
        do {
            return try await retrying(for: patience) {
                try await self.caller.call(.POST, target, headers: keyed, body: body)
            }
        } catch let error as SluiceError {
            // A key that nobody asked for is no reason to be refused.
            guard error.code == ErrorCode.ephemeralTopic.rawValue, idempotencyKey == nil, key != nil
            else { throw error }
            return try await retrying(for: patience) {
                try await self.caller.call(
                    .POST, target, headers: headers, body: body, isRepeatable: false)
            }
        }
    }

    // MARK: Subscribing

    /// Follows topics: iterating over the result connects, and goes on after lost connections
    /// without loss or repeats.
    ///
    /// - Parameters:
    ///   - patterns: Names and patterns; what several of them match comes once.
    ///   - start: `latest`, `earliest`, `last:10`, `ago:15m`, `time:…`, and for one name
    ///     `offset:17`, `after:CURSOR`; or a mark that a broker issued.
    ///   - position: Where an earlier subscription stood. Its cursors win over the start, topic by
    ///     topic, and have to be of the patterns' topics; its own start wins, too.
    ///   - options: How it is delivered, and which events.
    /// - Returns: Events and notices, in the order of each topic. A slow reader slows down nobody
    ///   but itself.
    /// - Throws: When a pattern, the start, a cursor or an option is not valid.
    public func subscribe(
        to patterns: [String], from start: String = "latest",
        resuming position: SubscriptionPosition = SubscriptionPosition(),
        options: SubscribeOptions = SubscribeOptions()
    ) throws(SluiceError) -> Subscription {
        let checked = try options.checked()
        let cursors = try position.checkedCursors()
        do {
            var parsed: [TopicPattern] = []
            for pattern in patterns { parsed.append(try TopicPattern(pattern)) }
            return Subscription(
                pool: sessions, patterns: parsed,
                start: try StartPosition(position.start ?? start), cursors: cursors,
                options: checked, filter: options.filter, rate: RateControl(options.maxRate),
                isBatched: options.isBatched)
        } catch {
            throw SluiceError(error)
        }
    }

    // MARK: What reaches a request's line and headers

    static func name(_ text: String) throws(SluiceError) -> TopicName {
        do { return try TopicName(text) } catch { throw SluiceError(error) }
    }

    /// A key as a header field holds it: no control characters, no white space that is trimmed on
    /// the way (RFC 9110 5.5); otherwise it would be another key, or other fields.
    private static func checkedKey(_ key: String) throws(SluiceError) -> String {
        do { try EventValidation.check(key, field: "Idempotency-Key") } catch {
            throw SluiceError(error)
        }
        let isPlain = key.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
        guard isPlain, key.utf8.first != 0x20, key.utf8.last != 0x20 else {
            throw SluiceError(
                .invalid, code: "invalid_request",
                "The idempotency key \(quoted(key)) can't be said in a header.",
                remedy: "Use a key without control characters, and without spaces around it.")
        }
        return key
    }

    // MARK: Trying again

    func retrying<Result: Sendable>(
        for patience: Duration, _ body: @Sendable () async throws -> Result
    ) async throws -> Result {
        let clock = ContinuousClock()
        let deadline = clock.now + patience
        var backoff = ReconnectBackoff()
        var random = SystemRandomNumberGenerator()
        while true {
            do {
                return try await body()
            } catch let error as SluiceError {
                guard let asked = error.retryAfter else { throw error }
                if error.kind == .unreachable, await !caller.hasConnected { throw error }
                let wait = backoff.wait(lasted: nil, asked: asked, jitter: &random)
                guard clock.now + wait < deadline else { throw error }
                try await Task.sleep(for: wait)
            }
        }
    }

    /// 128 bits of chance: two requests never share a key.
    private static func randomKey() -> String {
        String(UInt64.random(in: .min ... .max), radix: 36) + "-"
            + String(UInt64.random(in: .min ... .max), radix: 36)
    }
}
