internal import EventModel
internal import NIOCore
internal import NIOHTTP1
internal import Transport

/// Sends requests over one connection that is kept, and opened anew when it broke.
actor HTTPCaller {
    private let connector: BrokerConnector
    private var connection: HTTPClientConnection?
    /// Whether the broker was ever reached: an address that never answered is a mistake rather than
    /// an outage.
    private(set) var hasConnected = false

    init(_ connector: BrokerConnector) { self.connector = connector }

    /// Sends a request.
    ///
    /// Where the source of tokens has another one, a refusal with 401 is tried again once: nothing
    /// was done then.
    ///
    /// - Parameters:
    ///   - method: What to do.
    ///   - target: Where to.
    ///   - headers: Besides Host, Authorization and User-Agent.
    ///   - body: With its media type in `headers`.
    ///   - isRepeatable: Whether it may be sent again when a connection that was kept turns out to
    ///     be closed.
    /// - Returns: The answer's body.
    /// - Throws: The broker's error, or `unreachable`.
    func call(
        _ method: HTTPMethod, _ target: RequestTarget, headers: [(String, String)] = [],
        body: [UInt8]? = nil, isRepeatable: Bool = true
    ) async throws(SluiceError) -> [UInt8] {
        let tokens = connector.tokens
        let token = try await tokens.token()
        let head = connector.head(method, target, headers, token: token)
        let answer = try await reply(to: head, body, isRepeatable: isRepeatable)
        guard answer.head.status == .unauthorized, tokens.isRenewable else {
            return try Self.result(answer)
        }
        await tokens.refuse(token)
        let next = try await tokens.token()
        guard next != token else { return try Self.result(answer) }
        let again = connector.head(method, target, headers, token: next)
        return try Self.result(try await reply(to: again, body, isRepeatable: isRepeatable))
    }

    private func reply(
        to head: HTTPRequestHead, _ body: [UInt8]?, isRepeatable: Bool
    ) async throws(SluiceError) -> Answer {
        let kept = connection
        if let kept, isRepeatable {
            // A kept connection that the broker closed meanwhile says nothing about the broker.
            if let answer = try? await exchange(kept, head, body) { return answer }
            forget(kept)
        }
        let opened = try await connector.connect()
        hasConnected = true
        // Meanwhile others may have opened one, on which they wait.
        if connection == nil || connection === kept { connection = opened }
        do {
            return try await exchange(opened, head, body)
        } catch {
            forget(opened)
            throw .unreachable(connector.configuration.address, BrokerConnector.words(error))
        }
    }

    private func forget(_ broken: HTTPClientConnection) {
        if connection === broken { connection = nil }
    }

    private typealias Answer = (head: HTTPResponseHead, body: [UInt8])

    private func exchange(
        _ connection: HTTPClientConnection, _ head: HTTPRequestHead, _ body: [UInt8]?
    ) async throws -> Answer {
        let (answer, bytes) = try await connection.send(
            head, body: body.map { ByteBuffer(bytes: $0) },
            timeout: TimeAmount(connector.configuration.timeout)
        ).get()
        return (answer, Array(buffer: bytes))
    }

    private static func result(_ answer: Answer) throws(SluiceError) -> [UInt8] {
        guard (200..<300).contains(answer.head.status.code) else {
            throw SluiceError(answer: answer.head, body: answer.body)
        }
        return answer.body
    }
}

extension SluiceError {
    /// The error in an answer, as a problem document (RFC 9457) or, from something in between, as a
    /// mere status.
    init(answer head: HTTPResponseHead, body: [UInt8]) {
        let seconds = head.headers.first(name: "Retry-After").flatMap { Int64($0) }
        let retryAfter = seconds.map { Duration.seconds(min(max($0, 0), 3600)) }
        guard let fields = try? JSONFields(body), let code = fields.text("code") else {
            let isRetryable = head.status.code == 503 || head.status.code == 429
            self.init(
                .failed, code: "http_\(head.status.code)",
                "The answer was HTTP \(head.status.code).",
                remedy: "Check the address, and what stands between you and the broker.",
                retryAfter: isRetryable ? retryAfter ?? .seconds(1) : nil)
            return
        }
        var message = fields.text("detail") ?? code
        let place = fields.object("at")
        if let line = place?.integer("line") { message += " (line \(line) of the request)" }
        self.init(
            Self.kind(of: code), code: code, message, remedy: fields.text("remedy") ?? "",
            retryAfter: retryAfter, byte: place?.integer("byte").map { Int($0) })
    }
}
