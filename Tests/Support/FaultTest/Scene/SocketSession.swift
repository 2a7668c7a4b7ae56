internal import EventModel
internal import NIOCore
internal import NIOHTTP1
internal import OpenSSLBridge
internal import SessionProtocol
internal import Synchronization
internal import Transport
internal import WebSocketCodec

/// A wss session without the Swift client's help: messages as they come, at the speed asked for.
final class SocketSession: Sendable {
    /// Ends with the connection.
    let messages: AsyncStream<BrokerMessage>
    private let handler: NIOLoopBound<SocketSessionHandler>

    private init(
        _ messages: AsyncStream<BrokerMessage>, _ handler: NIOLoopBound<SocketSessionHandler>
    ) {
        self.messages = messages
        self.handler = handler
    }

    deinit { leave() }

    /// Connects and upgrades; the first message will be `welcome`.
    ///
    /// - Parameters:
    ///   - door: Which broker.
    ///   - bytesPerSecond: What is read at most; `nil` for all that comes.
    /// - Returns: The session.
    /// - Throws: What the network, or the broker's answer, says.
    static func open(_ door: Door, bytesPerSecond: Int? = nil) async throws -> SocketSession {
        let connection = try await door.connect()
        let request = WebSocketUpgradeRequest(nonce: randomBytes(16), subprotocols: ["sluice.v1"])
        var fields = HTTPHeaders(
            request.headers(host: "127.0.0.1:\(door.port)").map { ($0.name, $0.value) })
        fields.add(name: "Authorization", value: "Bearer \(door.token)")
        let head = HTTPRequestHead(
            version: .http1_1, method: .GET, uri: "/v1/connect", headers: fields)
        let (messages, continuation) = AsyncStream.makeStream(of: BrokerMessage.self)
        let found = Mutex<NIOLoopBound<SocketSessionHandler>?>(nil)
        let outcome = try await connection.upgrade(head, timeout: .seconds(10)) { stream, _ in
            let handler = SocketSessionHandler(stream, continuation, bytesPerSecond)
            found.withLock { $0 = NIOLoopBound(handler, eventLoop: stream.eventLoop) }
            return handler
        }.get()
        guard case .upgraded = outcome, let handler = found.withLock({ $0 }) else {
            throw SceneFailure("no upgrade")
        }
        return SocketSession(messages, handler)
    }

    func send(_ message: ClientMessage) {
        let handler = handler
        handler.eventLoop.execute { handler.value.send(message.encode()) }
    }

    func leave() {
        let handler = handler
        handler.eventLoop.execute { handler.value.stream.abort() }
    }
}

/// Confined to its event loop.
private final class SocketSessionHandler: StreamHandler {
    let stream: StreamConnection
    private let messages: AsyncStream<BrokerMessage>.Continuation
    private let bytesPerSecond: Int?
    private var bytesAhead = 0
    private var isPaused = false
    private var webSocket: WebSocketConnection
    private var timer: Scheduled<Void>?

    /// Three heartbeats of the brokers of this test.
    private static let silenceMax = Duration.seconds(6)

    init(
        _ stream: StreamConnection, _ messages: AsyncStream<BrokerMessage>.Continuation,
        _ bytesPerSecond: Int?
    ) {
        self.stream = stream
        self.messages = messages
        self.bytesPerSecond = bytesPerSecond
        webSocket = .client(
            messageBytesMax: 4 << 20, silence: SilenceWatch(silenceMax: Self.silenceMax, now: .now),
            maskingKeys: SystemRandomNumberGenerator())
        scheduleTick()
    }

    func send(_ text: [UInt8]) {
        guard stream.isOpen else { return }
        decide { $0.send(text: text, into: &$1) }
    }

    // Unsafe memory: the transport lends its buffer for the call, and the codec reads it there.
    func received(_ bytes: UnsafeRawBufferPointer) {
        bytesAhead += bytes.count
        webSocket.received(bytes, now: .now)
        decide { while $0.next(now: .now, into: &$1) {} }
        rest()
    }

    func writable() {}
    func inputEnded() { decide { $0.inputEnded(into: &$1) } }

    func closed() {
        timer?.cancel()
        messages.finish()
    }

    private func decide(
        _ input: (inout WebSocketConnection, inout [WebSocketConnection.Action]) -> Void
    ) {
        var actions: [WebSocketConnection.Action] = []
        input(&webSocket, &actions)
        for action in actions {
            switch action {
            case .text(let text):
                if let message = try? BrokerMessage.decode(text) { messages.yield(message) }
            case .binary: break
            // Unsafe memory: the stream reads the frame during the call and keeps a copy.
            case .send(let frame): frame.withUnsafeBytes { stream.send($0) }
            case .ended: messages.finish()
            case .closeConnection: stream.close()
            case .abortConnection: stream.abort()
            }
        }
    }

    /// Reads no more until the speed allows it.
    private func rest() {
        guard let bytesPerSecond, bytesAhead > 0, !isPaused else { return }
        isPaused = true
        stream.setReading(false)
        webSocket.paused()
        let time = Duration.seconds(bytesAhead) / bytesPerSecond
        bytesAhead = 0
        _ = stream.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(time)) {
            self.isPaused = false
            self.webSocket.resumed(now: .now)
            self.stream.setReading(true)
            self.scheduleTick()
        }
    }

    private func scheduleTick() {
        timer?.cancel()
        guard stream.isOpen, let deadline = webSocket.deadline else { return }
        timer = stream.eventLoop.assumeIsolated().scheduleTask(
            in: TimeAmount(max(deadline - .now, .zero))
        ) {
            self.decide { $0.tick(now: .now, into: &$1) }
            self.scheduleTick()
        }
    }
}

@available(*, unavailable) extension SocketSessionHandler: Sendable {}
