internal import EventModel
internal import NIOCore
internal import SessionProtocol
internal import SluiceClient
internal import Transport

/// One wss session of a benchmark, which subscribes or publishes.
///
/// Confined to its event loop.
final class LoadSession {
    private weak var socket: SessionSocket?
    /// A message that the session does not know itself.
    var received: ([UInt8]) -> Void = { _ in }
    /// The session is over, for the reason given.
    var ended: (String) -> Void = { _ in } { didSet { if let end { ended(end) } } }
    private var end: String?
    /// Called at `welcome`.
    private var opened: (() -> Void)?
    private var isStopped = false

    /// Sends a message.
    func send(_ message: ClientMessage) { socket?.send(text: message.encode()) }

    /// Stops to read, as a client does that is busy, or reads on.
    func setReading(_ isReading: Bool) {
        isStopped = !isReading
        if isReading { socket?.resume() }
    }

    func leave() {
        ended = { _ in }
        socket?.leave()
    }

    /// Opens a session on one of the group's loops; returns when the broker has said `welcome`.
    ///
    /// - Throws: `SluiceError`.
    static func open(
        _ connector: BrokerConnector, on group: any EventLoopGroup
    ) async throws -> NIOLoopBound<LoadSession> {
        let loop = group.next()
        let session = try await loop.submit { NIOLoopBound(LoadSession(), eventLoop: loop) }.get()
        let promise = loop.makePromise(of: Void.self)
        do {
            try await connector.openSession(on: loop) { stream, compression in
                let socket = SessionSocket(
                    stream, receiver: session.value, compression: compression)
                session.value.socket = socket
                session.value.opened = { promise.succeed() }
                session.value.ended = { promise.fail(ClosedEarly(reason: $0)) }
                return socket
            }
        } catch {
            promise.fail(error)
            throw error
        }
        try await promise.futureResult.get()
        return session
    }

    /// The broker ended a session before it began.
    struct ClosedEarly: Error { let reason: String }
}

@available(*, unavailable) extension LoadSession: Sendable {}

extension LoadSession: SessionReceiver {
    func put(_ messages: [[UInt8]]) -> Bool {
        for message in messages {
            if let opened {
                self.opened = nil
                opened()
            } else {
                received(message)
            }
        }
        return isStopped
    }

    func finish(_ end: SessionEnd) {
        let reason =
            switch end {
            case .closed(let code, let reason): "closed \(code.map { "\($0) " } ?? "")\(reason)"
            case .broken(let reason): reason
            }
        self.end = reason
        ended(reason)
    }
}
