internal import NIOCore
internal import NIOPosix
internal import OpenSSLBridge

/// A connection's socket as the first handler of its channel: TLS or plain, written to directly.
///
/// What is sent goes straight to the descriptor; only what the kernel does not take is handed to
/// the channel, and until that is flushed the socket is blocked. NIO owns the descriptor: it reads,
/// waits and closes.
///
/// NIO closes the descriptor before it says so, first by failing what was pending and then by
/// `channelInactive`, and the number may be another connection's at once. So `phase` is `closed`
/// from the first failed write and from each of our own closes on, and is asked before each send.
final class SocketHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = ByteBuffer

    enum Phase: Equatable {
        /// Not connected yet.
        case new
        /// Connected, and nothing has come.
        case greeting
        /// The TLS handshake is under way.
        case handshaking
        /// Bytes go both ways.
        case open
        /// Nothing is accepted any more; what is pending is being flushed.
        case flushing
        /// Our end is closed; waiting for the peer's, so that no reset overtakes the last bytes. So
        /// many bytes were read and forgotten meanwhile.
        case lingering(bytes: Int)
        /// The descriptor is not to be touched.
        case closed
    }

    /// What one of NIO's reads takes; more than that is read into the loop's scratch memory, so
    /// that an idle connection keeps no larger buffer.
    static let readBytes = 512

    let loop: SocketLoop
    var owner: (any SocketOwner)?
    /// Where this socket is in the lists of `loop`.
    var place: Int?
    var timedPlace: Int?

    private(set) var phase = Phase.new
    /// When `deadlineReached` is called; set by the owner while the phase is open.
    private(set) var deadline = NIODeadline.distantFuture

    private var session: TLSSession?
    private let isServer: Bool
    private var descriptor = Descriptor(number: -1)
    /// What is fired here goes to the handlers behind this one.
    private(set) var context: ChannelHandlerContext?
    private var failure: (any Error)?
    private var input = SocketInput()
    private var isReceiving = false
    private var duties: TurnDuties = []
    private var handedOver = HandedOver()
    /// What was written through the pipeline and not yet flushed.
    private var written = ByteBuffer()

    /// Makes a socket, plain without `tls`; `hostName` is whom a server's certificate must name.
    init(_ loop: SocketLoop, tls: TLSContext?, hostName: String? = nil) throws {
        self.loop = loop
        isServer = tls?.role == .server
        if let tls {
            session = try TLSSession(
                tls, hostName: hostName, output: self,
                engine: tls.ownsRecords ? loop.recordEngine : nil)
        }
    }

    /// Neither closed nor on the way to it.
    var isOpen: Bool {
        switch phase {
        case .new, .greeting, .handshaking, .open: true
        case .flushing, .lingering, .closed: false
        }
    }
    /// The peer sends nothing more.
    var isInputOver: Bool { input.isOver }
    var isBlocked: Bool { handedOver.isBlocked }
    var progress: SocketProgress? { phase == .open ? descriptor.progress() : nil }

    // MARK: The channel's life

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { begin(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    private func begin(_ context: ChannelHandlerContext) {
        guard phase == .new else { return }
        phase = .greeting
        let operations = context.channel.pipeline.syncOperations
        let number = try? operations.withUnsafeTransportIfAvailable { (number: CInt) in number }
        guard let number else {
            fail(ChannelError.operationUnsupported)
            return
        }
        descriptor = Descriptor(number: number)
        loop.join(self)
        setDeadline(.now() + loop.limits.handshakeTimeout)
        guard let session else {
            openOwner()
            return
        }
        do { try session.start() } catch { fail(error) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        becomeGone()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        becomeGone()
        self.context = nil
    }

    private func becomeGone() {
        phase = .closed
        loop.leave(self)
        owe(.listed)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // NIO closes the channel behind a read error.
        failure = failure ?? error
        hardClose()
    }

    private func openOwner() {
        switch phase {
        case .new, .greeting, .handshaking:
            phase = .open
            owner?.opened()
        case .open, .flushing, .lingering, .closed: break
        }
    }

    // MARK: Input

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = Self.unwrapInboundIn(data)
        // NIO reads inside a failing write, too: that connection has ended already.
        guard !isReceiving, isOpen else {
            countLingering(buffer.readableBytes)
            return
        }
        if input.isNewcomer, loop.putsOff(.bytes(buffer), of: self) {
            input.waits()
        } else {
            take(buffer)
        }
    }

    /// Input that was put off has its turn.
    func turnCame(_ piece: SocketInput.Piece) {
        let isToRead = input.turnCame()
        switch piece {
        case .bytes(let buffer) where isOpen:
            // It was we who were late.
            if phase != .open { setDeadline(.now() + loop.limits.handshakeTimeout) }
            take(buffer)
        case .bytes(let buffer): countLingering(buffer.readableBytes)
        case .end: inputClosed()
        }
        if isToRead { context?.read() }
    }

    private func take(_ buffer: ByteBuffer) {
        input.took()
        isReceiving = true
        defer { isReceiving = false }
        buffer.withUnsafeReadableBytes { take($0) }
        guard buffer.readableBytes >= Self.readBytes, input.isFlowing, isOpen else { return }
        loop.withScratch { space in
            let count = descriptor.receive(into: space)
            if count > 0 { take(UnsafeRawBufferPointer(rebasing: space[..<count])) }
        }
    }

    private func take(_ bytes: UnsafeRawBufferPointer) {
        guard let session else {
            owner?.received(bytes)
            return
        }
        if phase == .greeting {
            if isServer, PlainRequest.isOne(bytes) {
                refusePlainRequest()
                return
            }
            phase = .handshaking
        }
        let error: TLSError? = loop.withScratch { space in
            do throws(TLSError) {
                try session.receive(bytes, scratch: space) { plaintext in
                    openOwner()
                    if isOpen { owner?.received(plaintext) }
                }
                return nil
            } catch { return error }
        }
        if let error {
            fail(error)
            return
        }
        if session.isHandshakeComplete { openOwner() }
        if session.isPeerClosed { endInput() }
    }

    /// Gives plaintext to the handlers behind this one.
    func forward(_ bytes: ByteBuffer) { context?.fireChannelRead(Self.wrapInboundOut(bytes)) }

    /// Tells the handlers behind this one that no more plaintext comes.
    func forwardInputEnd() { context?.fireUserInboundEventTriggered(ChannelEvent.inputClosed) }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent {
            if input.isWaiting {
                _ = loop.putsOff(.end, of: self)
                input.waits()
            } else {
                inputClosed()
            }
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    private func inputClosed() {
        // The owner may still hold input back, so the decoder hears of the end from it.
        if case .lingering = phase { hardClose() } else { endInput() }
    }

    private func endInput() {
        guard input.end(), isOpen else { return }
        if phase == .open { owner?.inputEnded() } else { close() }
    }

    func read(context: ChannelHandlerContext) {
        if input.mayRead() { context.read() }
    }

    /// Whether the peer's bytes are wanted.
    func setReading(_ isReading: Bool) {
        if input.setWanted(isReading) { context?.read() }
    }

    private func refusePlainRequest() {
        session = nil
        PlainRequest.answer.withUnsafeReadableBytes { write($0) }
        close()
    }

    // MARK: Output

    /// Seals and writes; without effect when the socket is closed.
    func send(_ plaintext: UnsafeRawBufferPointer) {
        guard isOpen else { return }
        if isBlocked, handedOver.bytes + plaintext.count > loop.limits.blockedBytesMax {
            abort()
        } else {
            seal(plaintext)
        }
    }

    private func seal(_ plaintext: UnsafeRawBufferPointer) {
        guard let session else {
            write(plaintext)
            return
        }
        do { try session.seal(plaintext) } catch { fail(error) }
    }

    /// The client's handlers write through the pipeline; what they write was asked for one by one.
    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard isOpen, case .byteBuffer(let bytes) = Self.unwrapOutboundIn(data) else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        var rest = bytes
        written.writeBuffer(&rest)
        promise?.succeed(())
    }

    func flush(context: ChannelHandlerContext) {
        let bytes = written
        written = ByteBuffer()
        if isOpen { bytes.withUnsafeReadableBytes { seal($0) } }
    }

    private func handOver(_ rest: UnsafeRawBufferPointer) {
        guard let context else { return }
        let count = rest.count
        handedOver.began(count)
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { self.flushed(count, $0) }
        context.writeAndFlush(Self.wrapOutboundOut(ByteBuffer(bytes: rest)), promise: promise)
        handedOver.returned()
    }

    private func flushed(_ count: Int, _ result: Result<Void, any Error>) {
        let isToBeTold = handedOver.ended(count)
        if case .failure(let error) = result {
            // The descriptor is closed already, and its number may be somebody else's.
            failure = failure ?? error
            phase = .closed
            owe(.listed)
        } else if isToBeTold {
            owe(.writable)
        }
    }

    // MARK: Closing

    /// Says goodbye, flushes, closes our end and waits for the peer's; all bounded in time.
    func close() {
        guard isOpen else { return }
        session?.shutdown()
        beginFlushing()
    }

    private func beginFlushing() {
        // Writing the last bytes may have found the connection broken.
        guard isOpen else { return }
        phase = .flushing
        setDeadline(.now() + loop.limits.closeTimeout)
        owe(.listed)
    }

    /// Closes at once.
    func abort() {
        guard phase != .closed else { return }
        hardClose()
    }

    private func fail(_ error: any Error) {
        guard isOpen else { return }
        failure = error
        // An alert may be pending, and the peer should get it.
        beginFlushing()
    }

    private func hardClose() {
        phase = .closed
        owe(.close)
    }

    private func beginLingering() {
        phase = .lingering(bytes: 0)
        tellClosed()
        setReading(true)
        guard !input.isOver, let context else {
            hardClose()
            return
        }
        setDeadline(.now() + loop.limits.lingerTimeout)
        context.close(mode: .output, promise: nil)
    }

    private func countLingering(_ count: Int) {
        guard case .lingering(let bytes) = phase else { return }
        phase = .lingering(bytes: bytes + count)
        if bytes + count > loop.limits.lingerBytesMax { hardClose() }
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if mode == .all { phase = .closed }
        context.close(mode: mode, promise: promise)
    }

    private func tellClosed() {
        let owner = owner
        self.owner = nil
        owner?.closed(failure)
    }

    // MARK: Deadlines

    /// Sets when the owner, or the way to the end, has taken too long.
    func setDeadline(_ deadline: NIODeadline) {
        self.deadline = deadline
        if phase != .closed, phase != .new { loop.time(self) }
    }

    /// Takes the socket off the list of those with a deadline; for streams.
    func stopTiming() {
        deadline = .distantFuture
        loop.stopTiming(self)
    }

    func deadlineReached() {
        if input.isWaiting { return }
        switch phase {
        case .open: owner?.deadlineReached()
        case .new, .greeting, .handshaking, .flushing, .lingering: abort()
        case .closed: break
        }
    }

    // MARK: The end of the turn

    /// Has the owner's `turnEnded` called once, when this turn's tasks have run.
    func callAtEndOfTurn() { owe(.turnEnd) }

    private func owe(_ duty: TurnDuties) {
        let isListed = duties.contains(.listed)
        duties.formUnion([duty, .listed])
        if !isListed { loop.callAtEndOfTurn(self) }
    }

    /// Does what must not happen inside somebody's call: closing, and telling of it.
    func turnEnded() {
        duties.remove(.listed)
        if duties.remove(.turnEnd) != nil, isOpen { owner?.turnEnded() }
        if duties.remove(.writable) != nil, isOpen { owner?.writable() }
        if phase == .flushing, !isBlocked { beginLingering() }
        if phase == .closed {
            if duties.remove(.close) != nil { context?.close(promise: nil) }
            tellClosed()
        }
    }
}

@available(*, unavailable) extension SocketHandler: Sendable {}

extension SocketHandler: TLSOutput {
    /// Writes ciphertext, or plaintext of a plain connection, to the descriptor.
    package func write(_ bytes: UnsafeRawBufferPointer) {
        guard isOpen, !bytes.isEmpty else { return }
        var taken = 0
        if !isBlocked {
            switch descriptor.send(bytes) {
            case .took(let count): taken = count
            case .failed:
                hardClose()
                return
            }
        }
        if taken < bytes.count { handOver(UnsafeRawBufferPointer(rebasing: bytes[taken...])) }
    }
}
