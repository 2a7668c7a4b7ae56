internal import NIOCore
internal import NIOHTTP1

/// HTTP on a client's connection: requests out, answers in the same order, and the upgrade.
final class HTTPClientHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    /// A request whose answer is awaited.
    struct Request {
        enum Purpose {
            case answer(EventLoopPromise<(HTTPResponseHead, ByteBuffer)>)
            case upgrade(
                EventLoopPromise<HTTPClientUpgrade>,
                @Sendable (StreamConnection, HTTPResponseHead) -> any StreamHandler)
        }

        let bodyBytesMax: Int
        let timeout: TimeAmount?
        let purpose: Purpose
        var timer: Scheduled<Void>?

        init(bodyBytesMax: Int, timeout: TimeAmount?, purpose: Purpose) {
            self.bodyBytesMax = bodyBytesMax
            self.timeout = timeout
            self.purpose = purpose
        }

        func fail(_ error: any Error) {
            timer?.cancel()
            switch purpose {
            case .answer(let promise): promise.fail(error)
            case .upgrade(let promise, _): promise.fail(error)
            }
        }
    }

    let encoder = HTTPRequestEncoder()
    let decoder: ByteToMessageHandler<HTTPResponseDecoder>
    /// Succeeds when requests can be sent.
    let ready: EventLoopPromise<Void>
    let info: ConnectionInfo

    private let socket: SocketHandler
    private var context: ChannelHandlerContext?
    private var requests = CircularBuffer<Request>()
    private var head: HTTPResponseHead?
    private var body = ByteBuffer()
    private var isFinishing = false
    private var isLeaving = false
    private var early = ByteBuffer()

    init(_ socket: SocketHandler, info: ConnectionInfo) {
        self.socket = socket
        self.info = info
        ready = info.eventLoop.makePromise()
        decoder = ByteToMessageHandler(
            HTTPResponseDecoder(leftOverBytesStrategy: .forwardBytes),
            maximumBufferSize: socket.loop.limits.heldBytesMax)
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    // MARK: Requests

    func send(_ head: HTTPRequestHead, body: ByteBuffer?, _ request: Request) {
        guard let context, socket.isOpen, !isFinishing, !isLeaving else {
            request.fail(TransportError("The connection to \(info.remoteAddress) is closed."))
            return
        }
        var request = request
        if let timeout = request.timeout {
            request.timer = info.eventLoop.assumeIsolated().scheduleTask(in: timeout) {
                let error = "\(self.info.remoteAddress) did not answer in \(timeout)."
                self.end(TransportError(error))
            }
        }
        requests.append(request)
        var head = head
        if !head.headers.contains(name: "Host") {
            head.headers.add(name: "Host", value: info.remoteAddress)
        }
        if let body {
            head.headers.replaceOrAdd(name: "Content-Length", value: String(body.readableBytes))
        }
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if let body { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    /// Closes when nothing is awaited any more.
    func finish() {
        isFinishing = true
        closeIfDone()
    }

    private func closeIfDone() {
        if isFinishing, requests.isEmpty, !isLeaving { socket.close() }
    }

    // MARK: Answers

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isLeaving {
            var rest = SocketHandler.unwrapInboundIn(data)
            early.writeBuffer(&rest)
            return
        }
        switch Self.unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body = ByteBuffer()
        case .body(var bytes):
            guard let request = requests.first else { return }
            guard body.readableBytes + bytes.readableBytes <= request.bodyBytesMax else {
                end(TransportError("The answer is larger than \(request.bodyBytesMax) bytes."))
                return
            }
            body.writeBuffer(&bytes)
        case .end:
            answered()
        }
    }

    private func answered() {
        guard let head, let request = requests.popFirst() else { return }
        let bytes = body
        self.head = nil
        body = ByteBuffer()
        request.timer?.cancel()
        switch request.purpose {
        case .answer(let promise):
            guard head.status != .switchingProtocols else {
                // Nothing behind it can be told from it.
                let error = TransportError("\(info.remoteAddress) switched protocols unasked.")
                promise.fail(error)
                end(error)
                return
            }
            promise.succeed((head, bytes))
        case .upgrade(let promise, let open):
            if head.status == .switchingProtocols {
                leave(head, promise, open)
                return
            }
            promise.succeed(.refused(head, bytes))
        }
        if !head.isKeepAlive { isFinishing = true }
        if isFinishing { closeIfDone() }
    }

    private func leave(
        _ head: HTTPResponseHead, _ promise: EventLoopPromise<HTTPClientUpgrade>,
        _ open: @escaping @Sendable (StreamConnection, HTTPResponseHead) -> any StreamHandler
    ) {
        isLeaving = true
        socket.setReading(false)
        guard let context else { return promise.fail(ChannelError.ioOnClosedChannel) }
        let pipeline = context.pipeline.syncOperations
        pipeline.removeHandler(encoder, promise: nil)
        pipeline.removeHandler(decoder).assumeIsolated().whenComplete { _ in
            pipeline.removeHandler(self, promise: nil)
            guard self.socket.isOpen else { return promise.fail(ChannelError.ioOnClosedChannel) }
            let stream = StreamConnection(self.socket, info: self.info)
            let handler = open(stream, head)
            promise.succeed(.upgraded(head))
            stream.begin(handler, early: [self.early], isInputOver: self.socket.isInputOver)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { end(error) }

    private func end(_ error: any Error) {
        fail(error)
        socket.abort()
    }

    private func fail(_ error: any Error) {
        ready.fail(error)
        while let request = requests.popFirst() { request.fail(error) }
    }
}

@available(*, unavailable) extension HTTPClientHandler: Sendable {}

extension HTTPClientHandler: SocketOwner {
    func opened() {
        socket.stopTiming()
        ready.succeed()
    }

    func received(_ bytes: UnsafeRawBufferPointer) {
        if isLeaving { early.writeBytes(bytes) } else { socket.forward(ByteBuffer(bytes: bytes)) }
    }

    func writable() {}

    func inputEnded() {
        guard !isLeaving else { return }
        // An answer without a length ends here; whoever still waits then waits in vain.
        socket.forwardInputEnd()
        socket.callAtEndOfTurn()
    }

    func deadlineReached() {}

    func turnEnded() {
        fail(TransportError("\(info.remoteAddress) closed the connection."))
        socket.close()
    }

    func closed(_ error: (any Error)?) {
        fail(error ?? TransportError("\(info.remoteAddress) closed the connection."))
    }
}
