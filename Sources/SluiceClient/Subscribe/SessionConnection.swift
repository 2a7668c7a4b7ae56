internal import NIOCore
internal import Synchronization
internal import Transport

/// One open wss session, usable from any task; it closes when it is let go.
final class SessionConnection: Sendable {
    private let mailbox = SessionMailbox()
    private let eventLoop: any EventLoop
    /// Set on the event loop when the broker has switched protocols.
    private let socket = Mutex<NIOLoopBound<SessionSocket>?>(nil)

    private init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    deinit {
        guard let socket = socket.withLock({ $0 }) else { return }
        eventLoop.execute { socket.value.leave() }
    }

    /// Connects and upgrades; with `isBatched` the broker may put several messages in one text.
    ///
    /// - Throws: The broker's refusal, or `unreachable`.
    static func open(
        _ connector: BrokerConnector, isBatched: Bool
    ) async throws(SluiceError) -> SessionConnection {
        let connection = try await connector.connect()
        let session = SessionConnection(connection.eventLoop)
        try await connector.openSession(on: connection, isBatched: isBatched) { [session] in
            session.begin($0)
        }
        return session
    }

    private func begin(_ stream: StreamConnection) -> SessionSocket {
        let socket = SessionSocket(stream, receiver: mailbox)
        self.socket.withLock { $0 = NIOLoopBound(socket, eventLoop: eventLoop) }
        return socket
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
