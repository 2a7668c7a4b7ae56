import DeliveryContract
import EventModel
import NIOCore
import NIOHTTP1
import OpenSSLBridge
import SessionProtocol
import Synchronization
import Transport
import WebSocketCodec

/// A WebSocket client that shows what comes, as it comes, and checks the order of every event.
final class TestSocket: Sendable {
    private let eventLoop: any EventLoop
    private let handler: NIOLoopBound<TestSocketHandler>
    private let check: Mutex<DeliveryCheck>
    /// What the broker chose.
    let subprotocol: String?

    /// The broker answered the upgrade otherwise.
    struct Refused: Error {
        let answer: TestAnswer
    }

    /// The connection ended while a message was waited for.
    struct Ended: Error {
        let last: SocketInput
    }

    private init(
        _ handler: NIOLoopBound<TestSocketHandler>, check: DeliveryCheck, subprotocol: String?
    ) {
        eventLoop = handler.eventLoop
        self.handler = handler
        self.check = Mutex(check)
        self.subprotocol = subprotocol
    }

    deinit {
        let handler = handler
        eventLoop.execute { handler.value.stream.abort() }
    }

    /// Upgrades a new connection, with the token in its Authorization header; with `isFiltered`, a
    /// filter may leave offsets out, with `isDeflated` messages come deflated.
    static func open(
        _ broker: TestBroker, _ path: String = "/v1/connect",
        subprotocols: [String] = ["sluice.v1"], token: String?, headers: [(String, String)] = [],
        isFiltered: Bool = false, isDeflated: Bool = false
    ) async throws -> TestSocket {
        let connection = try await TestHTTP.connect(broker)
        let request = WebSocketUpgradeRequest(
            nonce: randomBytes(16), subprotocols: subprotocols,
            deflate: isDeflated ? DeflateParameters() : nil)
        let host = "127.0.0.1:\(broker.port)"
        var fields = HTTPHeaders(request.headers(host: host).map { ($0.name, $0.value) })
        if let token { fields.add(name: "Authorization", value: "Bearer \(token)") }
        for (name, value) in headers { fields.add(name: name, value: value) }
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: path, headers: fields)
        let found = Mutex<NIOLoopBound<TestSocketHandler>?>(nil)
        let outcome = try await connection.upgrade(head) { stream, _ in
            let handler = TestSocketHandler(stream, isDeflated: isDeflated)
            found.withLock { $0 = NIOLoopBound(handler, eventLoop: stream.eventLoop) }
            return handler
        }.get()
        switch outcome {
        case .refused(let head, let body): throw Refused(answer: TestAnswer(head, body))
        case .upgraded(let head):
            let fields = head.headers.map { (name: $0.name, value: $0.value) }
            let chosen = try request.verify(
                status: Int(head.status.code), headers: fields, sha1: { Digest.sha1($0) })
            guard isDeflated == (try request.deflateTerms(headers: fields) != nil) else {
                throw Refused(answer: TestAnswer(head, ByteBuffer()))
            }
            guard let handler = found.withLock({ $0 }) else {
                throw TimedOut(what: "the upgrade's handler")
            }
            return TestSocket(
                handler, check: DeliveryCheck(isFiltered: isFiltered),
                subprotocol: chosen)
        }
    }

    /// The broker's own token in the header; reads `welcome`.
    static func session(
        _ broker: TestBroker, isFiltered: Bool = false, isDeflated: Bool = false
    ) async throws -> TestSocket {
        let socket = try await open(
            broker, token: broker.token, isFiltered: isFiltered, isDeflated: isDeflated)
        guard case .welcome = try await socket.message() else { throw TimedOut(what: "welcome") }
        return socket
    }

    // MARK: Sending

    /// Sends a text message.
    func send(_ json: String) { send(frame: .text, Array(json.utf8)) }

    /// Sends a masked frame.
    func send(frame opcode: WebSocketOpcode, _ payload: [UInt8]) {
        send(
            bytes: WebSocketFrame.encodeMasked(
                opcode: opcode, payload: payload, maskingKey: .random(in: .min ... .max)))
    }

    /// Sends bytes as they are, below the WebSocket.
    func send(bytes: [UInt8]) {
        let handler = handler
        eventLoop.execute { handler.value.send(bytes) }
    }

    /// Stops reading from the socket.
    func pause() { setReading(false) }

    func resume() { setReading(true) }

    /// Reads at most so many bytes a second from now on; `nil` for all that come.
    func read(bytesPerSecond: Int?) {
        let handler = handler
        eventLoop.execute { handler.value.bytesPerSecond = bytesPerSecond }
    }

    private func setReading(_ isReading: Bool) {
        let handler = handler
        eventLoop.execute { handler.value.stream.setReading(isReading) }
    }

    /// Goes away without a word.
    func vanish() {
        let handler = handler
        eventLoop.execute { handler.value.stream.abort() }
    }

    // MARK: Receiving

    /// The next thing that comes, whatever it is.
    func next(within patience: TimeAmount = .seconds(60)) async throws -> SocketInput {
        let handler = handler
        let input = try await eventLoop.flatSubmit { handler.value.take(within: patience) }.get()
        if case .message(let message, _) = input {
            try check.withLock { try $0.received(message) }
        }
        return input
    }

    /// The next message; heartbeats and pings are passed over.
    func message() async throws -> BrokerMessage {
        while true {
            switch try await next() {
            case .message(.heartbeat, _), .ping, .pong: continue
            case .message(let message, _): return message
            case let input: throw Ended(last: input)
            }
        }
    }

    /// Messages up to one that is looked for.
    func messages(through isLast: (BrokerMessage) -> Bool) async throws -> [BrokerMessage] {
        var messages: [BrokerMessage] = []
        repeat { messages.append(try await message()) } while !isLast(messages[messages.count - 1])
        return messages
    }

    /// The next events; what else comes between them is passed over.
    func events(_ count: Int) async throws -> [EventMessage] {
        var events: [EventMessage] = []
        while events.count < count {
            if case .event(let event) = try await message() { events.append(event) }
        }
        return events
    }

    /// The data of the next events, as texts.
    func data(_ count: Int) async throws -> [String] {
        try await events(count).map { $0.event.content.data.text }
    }

    /// The code and the reason of the close frame that ends the connection.
    func close() async throws -> (code: UInt16?, reason: String) {
        while true {
            switch try await next() {
            case .closed(let code, let reason): return (code, reason)
            case .ended: throw Ended(last: .ended)
            case .message, .ping, .pong: continue
            }
        }
    }
}
