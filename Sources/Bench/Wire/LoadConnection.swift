internal import NIOCore
internal import NIOPosix
internal import OpenSSLBridge

/// Whom a load's connection tells; on its event loop.
protocol LoadReceiver: AnyObject {
    /// Bytes can be sent.
    func opened()
    /// Plaintext, valid during the call only.
    func received(_ bytes: UnsafeRawBufferPointer)
    /// The connection is over; called once.
    func closed(_ reason: String)
}

/// A connection of a load: TLS or plain, with as little between the socket and the receiver as can
/// be, so that the load costs less than the broker.
///
/// Confined to its event loop. It holds its receiver until it is closed.
final class LoadConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var receiver: (any LoadReceiver)?
    private var tls: TLSSession?
    private var isOpen = false
    private var context: ChannelHandlerContext?
    /// What waits for `flush`.
    private var plaintext: [UInt8] = []
    /// Records that wait for the end of a call to TLS.
    private var output: ByteBuffer?
    private var recordCounter = RecordCounter()
    private var failure: String?

    /// How many TLS records of application data have come.
    var records: Int { recordCounter.count }

    private init(_ target: LoadTarget, _ receiver: any LoadReceiver) throws {
        self.receiver = receiver
        if let context = target.tls {
            tls = try TLSSession(context, hostName: target.host, output: self)
        }
    }

    /// Connects on the loop, from `source` if that is given; `make` is called there, with what
    /// makes the connection of its receiver.
    ///
    /// - Returns: Fails if there is no TCP connection; all that happens then the receiver is told.
    static func connect(
        _ target: LoadTarget, from source: SocketAddress?, on loop: any EventLoop,
        _ make:
            @escaping @Sendable (_ connect: (any LoadReceiver) throws -> LoadConnection) throws
            -> Void
    ) -> EventLoopFuture<Void> {
        var bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(.seconds(30))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try make { receiver in
                        let connection = try LoadConnection(target, receiver)
                        try channel.pipeline.syncOperations.addHandler(connection)
                        return connection
                    }
                }
            }
        if let source { bootstrap = bootstrap.bind(to: source) }
        let channel =
            target.socketAddress.map { bootstrap.connect(to: $0) }
            ?? bootstrap.connect(host: target.host, port: target.port)
        return channel.map { _ in }
    }

    // MARK: Sending

    /// Keeps bytes for `flush`.
    func write(_ bytes: some Sequence<UInt8>) { plaintext.append(contentsOf: bytes) }

    /// Sends what was written since the last time, in as few records as it fits in.
    func flush() {
        guard isOpen, !plaintext.isEmpty else { return }
        var bytes: [UInt8] = []
        swap(&bytes, &plaintext)
        // Unsafe memory: TLS reads the bytes during the call.
        bytes.withUnsafeBytes { bytes in
            guard let tls else { return write(bytes) }
            attempt { () throws(TLSError) in try tls.seal(bytes) }
        }
        bytes.removeAll(keepingCapacity: bytes.count < 4096)
        swap(&bytes, &plaintext)
        sendOutput()
    }

    /// Stops to read from the socket, or reads on.
    func setReading(_ isReading: Bool) {
        try? context?.channel.syncOptions?.setOption(.autoRead, value: isReading)
    }

    func close() {
        tls?.shutdown()
        sendOutput()
        context?.close(promise: nil)
    }

    private func sendOutput() {
        guard let bytes = output else { return }
        output = nil
        context?.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    // MARK: From the socket

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        guard let tls else { return open() }
        attempt { () throws(TLSError) in try tls.start() }
        sendOutput()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // Unsafe memory on the hot path: the receiver reads where the socket or TLS has put it.
        Self.unwrapInboundIn(data).withUnsafeReadableBytes { bytes in
            guard let tls else {
                receiver?.received(bytes)
                return
            }
            if isOpen { recordCounter.passed(bytes) }
            withUnsafeTemporaryAllocation(byteCount: Self.scratchBytes, alignment: 16) { scratch in
                attempt { () throws(TLSError) in
                    try tls.receive(bytes, scratch: scratch) { plaintext in
                        if !isOpen { open() }
                        receiver?.received(plaintext)
                    }
                }
            }
            if !isOpen, tls.isHandshakeComplete { open() }
        }
        flush()
        sendOutput()
    }

    private static let scratchBytes = 2 * TLSSession.recordBytesMax

    private func open() {
        isOpen = true
        receiver?.opened()
        flush()
    }

    private func attempt(_ body: () throws(TLSError) -> Void) {
        do { try body() } catch { fail(error.message) }
    }

    private func fail(_ reason: String) {
        failure = failure ?? reason
        sendOutput()
        context?.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { fail("\(error)") }

    func channelInactive(context: ChannelHandlerContext) {
        isOpen = false
        self.context = nil
        let receiver = receiver
        self.receiver = nil
        receiver?.closed(failure ?? "the connection was closed")
    }
}

@available(*, unavailable) extension LoadConnection: Sendable {}

extension LoadConnection: TLSOutput {
    /// Keeps records until the call to TLS is over: one write for all.
    func write(_ bytes: UnsafeRawBufferPointer) {
        if output == nil { output = ByteBufferAllocator().buffer(capacity: bytes.count) }
        output?.writeBytes(bytes)
    }
}
