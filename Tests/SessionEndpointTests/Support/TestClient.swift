import EventModel
import NIOCore
import NIOHTTP1
import NIOPosix
import OpenSSLBridge
import SessionProtocol
import Synchronization
import Transport
import WebSocketCodec
import ZlibBridge

/// What comes over a WebSocket; the broker's messages as their texts.
enum Incoming: Equatable, Sendable {
    case message(String)
    case ping
    case pong
    case close(UInt16?, String)
    case ended
}

/// A WebSocket client that answers nothing by itself.
final class TestClient: Sendable {
    private let handler: NIOLoopBound<TestClientHandler>
    /// Of an array, those that were not waited for yet.
    private let waiting = Mutex<[[UInt8]]>([])

    struct Refused: Error {
        let status: UInt
        let code: String
    }

    private init(_ handler: NIOLoopBound<TestClientHandler>) { self.handler = handler }

    deinit {
        let handler = handler
        handler.eventLoop.execute { handler.value.stream.abort() }
    }

    /// Upgrades a new connection.
    static func open(
        _ node: TestNode, _ path: String = "/v1/connect", header: String? = nil,
        subprotocols: [String] = [], deflate: DeflateParameters? = nil
    ) async throws -> TestClient {
        var limits = TransportLimits()
        // It may say more than the broker wants to hear.
        limits.blockedBytesMax = 1 << 30
        let connection = try await ClientConnector.connect(
            host: "127.0.0.1", port: node.port, tls: nil,
            group: MultiThreadedEventLoopGroup.singleton, limits: limits
        ).get()
        let request = WebSocketUpgradeRequest(
            nonce: Array(repeating: 7, count: 16), subprotocols: subprotocols,
            deflate: deflate)
        var fields = HTTPHeaders(request.headers(host: "x").map { ($0.name, $0.value) })
        if let header { fields.add(name: "Authorization", value: header) }
        let found = Mutex<NIOLoopBound<TestClientHandler>?>(nil)
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: path, headers: fields)
        let outcome = try await connection.upgrade(head) { stream, answer in
            let fields = answer.headers.map { (name: $0.name, value: $0.value) }
            let terms = try? request.deflateTerms(headers: fields)
            let handler = TestClientHandler(stream, isDeflated: terms != nil)
            found.withLock { $0 = NIOLoopBound(handler, eventLoop: stream.eventLoop) }
            return handler
        }.get()
        switch outcome {
        case .refused(let head, let body):
            throw Refused(status: head.status.code, code: String(buffer: body))
        case .upgraded:
            guard let handler = found.withLock({ $0 }) else { throw TimedOut(what: "the handler") }
            return TestClient(handler)
        }
    }

    /// A session, its welcome read.
    static func session(_ node: TestNode, header: String? = nil) async throws -> TestClient {
        let client = try await open(node, header: header)
        guard case .welcome = try await client.message() else { throw TimedOut(what: "welcome") }
        return client
    }

    // MARK: Sending

    func send(_ texts: String...) {
        for text in texts { send(frame: .text, Array(text.utf8)) }
    }

    func send(frame opcode: WebSocketOpcode, _ payload: [UInt8] = []) {
        send(bytes: WebSocketFrame.encodeMasked(opcode: opcode, payload: payload, maskingKey: 7))
    }

    func send(deflated text: String) { send(compressed: Deflater().deflate(Array(text.utf8))) }

    /// A text message whose payload is, or is not, deflated.
    func send(compressed payload: [UInt8]) {
        send(
            bytes: WebSocketFrame.encodeMasked(
                opcode: .text, payload: payload, maskingKey: 7, isCompressed: true))
    }

    func send(bytes: [UInt8]) {
        let handler = handler
        handler.eventLoop.execute { bytes.withUnsafeBytes { handler.value.stream.send($0) } }
    }

    func setReading(_ isReading: Bool) {
        let handler = handler
        handler.eventLoop.execute { handler.value.stream.setReading(isReading) }
    }

    func vanish() {
        let handler = handler
        handler.eventLoop.execute { handler.value.stream.abort() }
    }

    // MARK: Receiving

    func isDeflated() async throws -> Bool {
        let handler = handler
        return try await handler.eventLoop.submit { handler.value.isDeflated }.get()
    }

    /// The bytes that have come so far, up to 4 MiB.
    func wire() async throws -> [UInt8] {
        let handler = handler
        return try await handler.eventLoop.submit { handler.value.wire }.get()
    }

    func next() async throws -> Incoming {
        let handler = handler
        return try await handler.eventLoop.flatSubmit { handler.value.take() }.get()
    }

    /// The next message; pings and heartbeats are passed over.
    func message() async throws -> BrokerMessage {
        while true {
            let first = waiting.withLock { $0.isEmpty ? nil : $0.removeFirst() }
            if let first {
                guard let message = try BrokerMessage.decode(first) else {
                    throw TimedOut(what: "a message that is known, not \(first)")
                }
                if case .heartbeat = message { continue }
                return message
            }
            switch try await next() {
            case .message(let text):
                waiting.withLock { $0 = MessageBatch.messages(of: Array(text.utf8)) }
            case .ping, .pong: continue
            case let other: throw TimedOut(what: "a message, not \(other)")
            }
        }
    }

    /// The next messages in short.
    func told(_ count: Int) async throws -> [String] {
        var told: [String] = []
        while told.count < count { told.append(try await message().short) }
        return told
    }

    /// The next close frame's code; what comes before it is passed over.
    func close() async throws -> UInt16? {
        while true {
            switch try await next() {
            case .close(let code, _): return code
            case .ended: throw TimedOut(what: "the close frame")
            case .message, .ping, .pong: continue
            }
        }
    }

    /// Returns when the connection is over.
    func ended() async throws {
        while try await next() != .ended { continue }
    }
}

extension BrokerMessage {
    /// What tests compare.
    var short: String {
        switch self {
        case .welcome: "welcome"
        case .authenticated: "authenticated"
        case .subscribed(let message):
            (["subscribed \(message.id)"]
                + message.topics.map { topic in
                    "\(topic.topic)@\(topic.cursor.map { "\($0.offset)" } ?? "null")"
                })
                .joined(separator: " ")
        case .event(let message):
            "\(message.topic) \(message.event.offset) "
                + String(decoding: message.event.content.data, as: UTF8.self)
        case .live(let id): "live \(id.map { "\($0)" } ?? "-")"
        case .lagging(let id, _): "lagging \(id.map { "\($0)" } ?? "-")"
        case .gap(let gap): "gap \(gap.topic) \(gap.from)-\(gap.to) \(gap.reason)"
        case .reset(let reset):
            "reset \(reset.topic)@\(reset.cursor.map { "\($0.offset)" } ?? "null") \(reset.reason)"
        case .cursor: "cursor"
        case .published(let message): "published \(message.id) \(message.cursor.offset)"
        case .unsubscribed(let id, _): "unsubscribed \(id)"
        case .updated(let id): "updated \(id)"
        case .error(let error):
            "error \(error.id.map { "\($0)" } ?? "-") \(error.code)"
                + (error.retryAfter == nil ? "" : " retry")
        case .pong(let id, _): "pong \(id.map { "\($0)" } ?? "-")"
        case .heartbeat: "heartbeat"
        case .closing(let closing): "closing \(closing.code)"
        }
    }
}
