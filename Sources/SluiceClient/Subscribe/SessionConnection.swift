internal import EventModel
internal import NIOCore
internal import NIOHTTP1
internal import OpenSSLBridge
internal import Synchronization
internal import Transport
internal import WebSocketCodec

/// One open wss session, usable from any task; it closes when it is let go.
final class SessionConnection: Sendable {
    static let subprotocol = "sluice.v1"

    private let mailbox = SessionMailbox()
    private let eventLoop: any EventLoop
    /// Set on the event loop when the broker has switched protocols.
    private let socket = Mutex<NIOLoopBound<SessionSocket>?>(nil)

    private init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    deinit {
        guard let socket = socket.withLock({ $0 }) else { return }
        eventLoop.execute { socket.value.leave() }
    }

    /// Connects and upgrades.
    ///
    /// - Throws: The broker's refusal, or `unreachable`.
    static func open(_ connector: BrokerConnector) async throws(SluiceError) -> SessionConnection {
        let address = connector.configuration.address
        let connection = try await connector.connect()
        let request = WebSocketUpgradeRequest(nonce: randomBytes(16), subprotocols: [subprotocol])
        // The connection adds Host itself.
        let fields = request.headers(host: address.authority).filter { $0.name != "Host" }
        let head = connector.head(.GET, .connect, fields.map { ($0.name, $0.value) })
        let session = SessionConnection(connection.eventLoop)
        let outcome: HTTPClientUpgrade
        do {
            outcome = try await connection.upgrade(head) { [session] stream, _ in
                session.begin(stream)
            }.get()
        } catch {
            throw .unreachable(address, BrokerConnector.words(error))
        }
        switch outcome {
        case .refused(let head, let body):
            throw SluiceError(answer: head, body: Array(buffer: body))
        case .upgraded(let head):
            try check(head, request, address)
            return session
        }
    }

    private func begin(_ stream: StreamConnection) -> SessionSocket {
        let socket = SessionSocket(stream, mailbox: mailbox)
        self.socket.withLock { $0 = NIOLoopBound(socket, eventLoop: eventLoop) }
        return socket
    }

    private static func check(
        _ head: HTTPResponseHead, _ request: WebSocketUpgradeRequest, _ address: BrokerAddress
    ) throws(SluiceError) {
        let chosen: String?
        do {
            chosen = try request.verify(
                status: Int(head.status.code), headers: head.headers.map { ($0.name, $0.value) },
                sha1: { Digest.sha1($0) })
        } catch {
            throw .notSluice(address, error.message)
        }
        guard chosen == subprotocol else {
            throw .notSluice(address, "it does not speak \(subprotocol)")
        }
    }

    /// Waits for messages or the end.
    func take() async throws -> SessionMailbox.Delivery {
        let delivery = try await mailbox.take()
        if case .messages(_, wasFull: true) = delivery { perform { $0.resume() } }
        return delivery
    }

    /// Sends a text message.
    func send(_ text: [UInt8]) { perform { $0.send(text: text) } }

    /// Ends the session when nothing was heard for this long.
    func watch(silenceMax: Duration) { perform { $0.watch(silenceMax: silenceMax) } }

    private func perform(_ body: @escaping @Sendable (SessionSocket) -> Void) {
        guard let socket = socket.withLock({ $0 }) else { return }
        eventLoop.execute { body(socket.value) }
    }
}
