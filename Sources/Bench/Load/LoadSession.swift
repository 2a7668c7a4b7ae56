internal import EventModel
internal import NIOCore
internal import OpenSSLBridge
internal import SessionProtocol
internal import SluiceClient
internal import WebSocketCodec

/// One wss session of a benchmark, which subscribes or publishes.
///
/// Messages are read where the socket's bytes are, as no client's full decoding belongs to what is
/// measured. Confined to its event loop.
final class LoadSession {
    private enum State {
        case connecting
        case upgrading
        /// `welcome` has not come.
        case greeting
        case open
        case ended
    }

    private let target: LoadTarget
    private let opening: EventLoopPromise<Void>
    private var connection: LoadConnection?
    private var state = State.connecting
    private var held = HeldBytes()
    /// A message that the session does not know itself; its bytes are valid during the call only.
    var messageReceived: (UnsafeRawBufferPointer) -> Void = { _ in }
    /// The session is over, for the reason given.
    var ended: (String) -> Void = { _ in } { didSet { if let end { ended(end) } } }
    private var end: String?
    /// When the bytes that are being read came, in ns of the monotonic clock.
    private(set) var readTime: UInt64 = 0

    /// How many TLS records have come.
    var records: Int { connection?.records ?? 0 }

    private init(_ target: LoadTarget, _ opening: EventLoopPromise<Void>) {
        self.target = target
        self.opening = opening
    }

    /// Opens a session on one of the group's loops; returns when the broker has said `welcome`.
    ///
    /// - Throws: `SluiceError`, or `BenchError` when the broker closed it at once.
    static func open(
        _ target: LoadTarget, from source: SocketAddress? = nil, on group: any EventLoopGroup
    ) async throws -> NIOLoopBound<LoadSession> {
        let loop = group.next()
        let opening = loop.makePromise(of: Void.self)
        let session = try await loop.submit {
            NIOLoopBound(LoadSession(target, opening), eventLoop: loop)
        }.get()
        let timer = loop.scheduleTask(in: patience) {
            opening.fail(BenchError("\(target.name) did not open a session in \(patience)."))
        }
        LoadConnection.connect(target, from: source, on: loop) { connect in
            session.value.connection = try connect(session.value)
        }.whenFailure { opening.fail(BenchError.connecting(target, $0)) }
        defer { timer.cancel() }
        do {
            try await opening.futureResult.get()
        } catch {
            loop.execute { session.value.leave() }
            throw error
        }
        return session
    }

    private static let patience = TimeAmount.seconds(60)

    // MARK: Sending

    /// Sends a message.
    func send(_ message: ClientMessage) {
        write(message.encode())
        flush()
    }

    /// Keeps a message's text for `flush`.
    func write(_ text: [UInt8]) { write(.text, text) }

    func flush() { connection?.flush() }

    private func write(_ opcode: WebSocketOpcode, _ payload: [UInt8]) {
        connection?.write(
            WebSocketFrame.encodeMasked(
                opcode: opcode, payload: payload, maskingKey: .random(in: .min ... .max)))
    }

    /// Stops to read, as a client does that is busy, or reads on.
    func setReading(_ isReading: Bool) { connection?.setReading(isReading) }

    func leave() {
        forget()
        if state == .open {
            write(.close, WebSocketFrame.closePayload(code: 1000))
            flush()
        }
        state = .ended
        connection?.close()
    }

    /// Whoever was told holds the session, and the session them.
    private func forget() {
        messageReceived = { _ in }
        ended = { _ in }
    }

    // MARK: Messages

    private func frame(_ opcode: WebSocketOpcode, _ payload: UnsafeRawBufferPointer) {
        switch opcode {
        case .text where state == .open: messageReceived(payload)
        case .text where state == .greeting: greeted(payload)
        case .ping: write(.pong, Array(payload))
        case .close:
            let code = payload.count >= 2 ? "\(Int(payload[0]) << 8 | Int(payload[1])) " : ""
            over("closed \(code)\(String(decoding: payload.dropFirst(2), as: UTF8.self))")
            write(.close, Array(payload.prefix(2)))
            flush()
            connection?.close()
        case .text, .binary, .pong, .continuation: break
        }
    }

    private func greeted(_ message: UnsafeRawBufferPointer) {
        switch try? BrokerMessage.decode(Array(message)) {
        case .welcome:
            state = .open
            opening.succeed()
        case .error(let error):
            opening.fail(BenchError("\(error.code): \(error.message)", remedy: error.remedy))
        default: break
        }
    }

    private func over(_ reason: String) {
        guard state != .ended else { return }
        let wasOpen = state == .open
        state = .ended
        end = reason
        if wasOpen { ended(reason) } else { opening.fail(BenchError.closedEarly(target, reason)) }
        forget()
    }
}

@available(*, unavailable) extension LoadSession: Sendable {}

extension LoadSession: LoadReceiver {
    func opened() {
        state = .upgrading
        let request = WebSocketUpgradeRequest(
            nonce: randomBytes(16), subprotocols: ["sluice.v1"])
        let fields = request.headers(host: target.authority).map { "\($0.name): \($0.value)\r\n" }
        connection?.write(
            ("GET /v1/connect HTTP/1.1\r\n" + fields.joined() + target.authorization + "\r\n").utf8)
    }

    func received(_ bytes: UnsafeRawBufferPointer) {
        readTime = NIODeadline.now().uptimeNanoseconds
        held.offer(bytes) { state == .upgrading ? upgraded($0) : frames($0) }
    }

    private func upgraded(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard let answer = HTTPAnswer(bytes) else { return 0 }
        guard answer.status == 101 else {
            let body = Array(bytes[answer.headBytes..<answer.byteCount])
            state = .ended
            opening.fail(BenchError.refused(target, status: answer.status, body: body))
            connection?.close()
            return bytes.count
        }
        state = .greeting
        return answer.byteCount
            + frames(UnsafeRawBufferPointer(rebasing: bytes[answer.byteCount...]))
    }

    private func frames(_ bytes: UnsafeRawBufferPointer) -> Int {
        do {
            return try ServerFrames.scan(bytes) { frame($0, $1) }
        } catch {
            over("the broker broke the protocol: \(error.reason)")
            connection?.close()
            return bytes.count
        }
    }

    func closed(_ reason: String) {
        connection = nil
        over(reason)
    }
}
