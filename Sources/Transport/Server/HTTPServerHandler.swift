internal import NIOCore
internal import NIOHTTP1

/// HTTP on one connection: parses, does what the conversation decides, and leaves for a stream.
///
/// Owner of the socket at the channel's head, and the only handler behind it, which the parser
/// gives its parts to. All answers of one loop turn leave in one write.
final class HTTPServerHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart

    let info: ConnectionInfo
    private let socket: SocketHandler
    private let service: any HTTPService
    private let parser: RequestParser
    private var conversation: HTTPConversation
    /// Answers on their way to the socket.
    private var output = ByteBuffer()
    /// Parsed parts and plaintext that wait until they may be looked at.
    private var parts = CircularBuffer<HTTPServerRequestPart>(initialCapacity: 0)
    private var held = ByteBuffer()
    private var context: ChannelHandlerContext?
    private var isFeeding = false
    /// To be told of the end of the input, by the number of a request that is not answered yet.
    private var inputWatches: [Int: () -> Void] = [:]

    /// What is sealed before it is asked again whether the socket is blocked.
    private static let sealBytesMax = 4 * TLSRecord.bytesMax

    init(
        _ socket: SocketHandler, service: any HTTPService, info: ConnectionInfo, bodies: BodyBudget
    ) {
        self.socket = socket
        self.service = service
        self.info = info
        parser = RequestParser(socket.loop.limits)
        conversation = HTTPConversation(socket.loop.limits, bodies: bodies)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        parser.begin(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        parser.end(context)
    }

    // MARK: Acting

    private func decide(
        _ input: (inout HTTPConversation, NIODeadline, inout [HTTPConversation.Action]) -> Void
    ) {
        var actions: [HTTPConversation.Action] = []
        input(&conversation, .now(), &actions)
        for action in actions { perform(action) }
    }

    private func perform(_ action: HTTPConversation.Action) {
        switch action {
        case .admit(let head, let number): admit(head, number)
        case .respond(let request): service.respond(to: HTTPExchange(request, handler: self))
        case .word(let fault, let head, let number):
            var answer = service.refuse(fault, head: head)
            answer.closes = true
            settle(number, with: answer)
        case .write(let answer, let request):
            let date = socket.loop.httpDate()
            AnswerEncoding.write(answer, to: request, date: date, into: &output)
            socket.callAtEndOfTurn()
        case .writeContinue:
            output.writeString(AnswerEncoding.pleaseContinue)
            socket.callAtEndOfTurn()
        case .writeHead(let stream, let request):
            let date = socket.loop.httpDate()
            AnswerEncoding.writeHead(of: stream, to: request, date: date, into: &output)
            socket.callAtEndOfTurn()
        case .open(let stream, let framing): open(stream, framing)
        case .setDeadline(let deadline): socket.setDeadline(deadline)
        case .discardInput:
            parts.removeAll()
            held = ByteBuffer()
        case .close: socket.close()
        case .abort: socket.abort()
        }
    }

    private func admit(_ head: HTTPRequestHead, _ number: Int) {
        switch service.admit(head, from: info) {
        case .collect(let collection):
            decide { $0.admitted(number, .collect(collection), now: $1, into: &$2) }
        case .answer(let answer):
            decide { $0.admitted(number, .answer(answer), now: $1, into: &$2) }
        case .pending(let begin):
            decide { conversation, _, actions in conversation.waits(into: &actions) }
            begin(
                HTTPAdmissionDecision { [weak self] outcome in
                    guard let self, socket.isOpen else { return }
                    decide { $0.admitted(number, outcome, now: $1, into: &$2) }
                    // What was held goes on then.
                    socket.callAtEndOfTurn()
                })
        }
    }

    /// Takes the answer to a request.
    func settle(_ number: Int, with answer: HTTPAnswer) {
        if !inputWatches.isEmpty { inputWatches[number] = nil }
        decide { $0.answered(number, with: answer, now: $1, into: &$2) }
    }

    /// Takes a stream as the answer to a request.
    func settle(_ number: Int, with stream: HTTPStream) {
        decide { conversation, _, actions in
            conversation.streamed(number, as: stream, into: &actions)
        }
    }

    /// Nobody will answer a request.
    func abandon(_ number: Int) {
        decide { conversation, _, actions in
            conversation.unanswered(number, into: &actions)
        }
    }

    /// Calls `body` once if the input ends before the request is answered.
    func whenInputEnds(behind number: Int, _ body: @escaping () -> Void) {
        if socket.isOpen, !socket.isInputOver { inputWatches[number] = body } else { body() }
    }

    private func tellThatInputEnded() {
        let watches = inputWatches.values
        inputWatches = [:]
        for watch in watches { watch() }
    }

    /// Ends the connection when its requests have been answered.
    func finish() {
        decide { conversation, _, actions in conversation.finish(into: &actions) }
    }

    /// Takes this handler out of the channel, and opens the stream.
    private func open(_ stream: HTTPStream, _ framing: StreamFraming) {
        guard let context, socket.isOpen else { return }
        // Only what came behind a request that asked for an upgrade is meant for the stream.
        let early = stream.status == .switchingProtocols ? [parser.undecoded, held] : []
        held = ByteBuffer()
        parts.removeAll()
        socket.setReading(false)
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
        socket.stopTiming()
        let connection = StreamConnection(socket, info: info, framing: framing)
        let handler = stream.open(connection)
        connection.begin(handler, early: early, isInputOver: socket.isInputOver)
    }

    // MARK: Input

    private var isHolding: Bool { conversation.isHolding(unsentBytes: output.readableBytes) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = Self.unwrapInboundIn(data)
        parser.gave(part)
        if isHolding || !parts.isEmpty { parts.append(part) } else { take(part) }
    }

    private func take(_ part: HTTPServerRequestPart) {
        decide { $0.received(part, now: $1, into: &$2) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { parsingFailed(error) }

    private func parsingFailed(_ error: any Error) {
        guard socket.isOpen else { return }
        decide { conversation, _, actions in
            conversation.parsingFailed(HTTPFault(parsing: error), into: &actions)
        }
    }

    /// Gives the parser plaintext in pieces, so that few requests are parsed beyond a limit.
    private func feed(_ bytes: ByteBuffer) {
        guard !conversation.isOver, let context = socket.context else { return }
        var rest = bytes
        isFeeding = true
        defer { isFeeding = false }
        while let piece = rest.readSlice(length: min(rest.readableBytes, TLSRecord.bytesMax)),
            piece.readableBytes > 0
        {
            decide { $0.bytesCame(now: $1, into: &$2) }
            do { try parser.parse(piece, context) } catch { parsingFailed(error) }
            if conversation.isOver { return }
            // A whole request leaves `nothing` behind; a request that is incomplete leaves `head`.
            if isHolding || !parts.isEmpty {
                rest.withUnsafeReadableBytes { hold($0) }
                return
            }
            if parser.isStopped {
                var behind = parser.renew(context)
                behind.writeBuffer(&rest)
                rest = behind
            }
        }
    }

    private func hold(_ bytes: UnsafeRawBufferPointer) {
        socket.setReading(false)
        guard held.readableBytes + bytes.count <= socket.loop.limits.heldBytesMax else {
            socket.abort()
            return
        }
        held.writeBytes(bytes)
    }

    /// Begins what waited, as far as it may be begun now.
    private func resume() {
        guard !isFeeding else { return }
        while !isHolding, let part = parts.popFirst() { take(part) }
        guard !isHolding, parts.isEmpty else { return }
        var bytes = ByteBuffer()
        if parser.isStopped, let context = socket.context { bytes = parser.renew(context) }
        bytes.writeBuffer(&held)
        held = ByteBuffer()
        feed(bytes)
        guard !isHolding, held.readableBytes == 0 else { return }
        socket.setReading(true)
        if socket.isInputOver { endOfInput() }
    }

    private func endOfInput() {
        decide { conversation, _, actions in conversation.inputEnded(into: &actions) }
    }

    // MARK: Output

    /// Seals what the socket takes; the rest goes when it is writable again.
    private func flush() {
        while output.readableBytes > 0, !socket.isBlocked, socket.isOpen {
            let count = min(output.readableBytes, Self.sealBytesMax)
            output.withUnsafeReadableBytes {
                socket.send(UnsafeRawBufferPointer(rebasing: $0[..<count]))
            }
            output.moveReaderIndex(forwardBy: count)
        }
        if output.readableBytes > 0 {
            guard socket.isBlocked else { return }
            decide { $0.blocked(now: $1, into: &$2) }
        } else {
            // An idle connection keeps no buffer.
            output = ByteBuffer()
            decide { $0.flushed(now: $1, into: &$2) }
        }
    }
}

@available(*, unavailable) extension HTTPServerHandler: Sendable {}

extension HTTPServerHandler: SocketOwner {
    func opened() { decide { $0.opened(now: $1, into: &$2) } }

    func received(_ bytes: UnsafeRawBufferPointer) {
        if conversation.isOver { return }
        guard !isHolding, !isFeeding, held.readableBytes == 0 else {
            hold(bytes)
            return
        }
        feed(ByteBuffer(bytes: bytes))
    }

    func writable() {
        conversation.progressed()
        flush()
        resume()
    }

    func turnEnded() {
        flush()
        resume()
    }

    func inputEnded() {
        tellThatInputEnded()
        if !isFeeding, parts.isEmpty, held.readableBytes == 0 { endOfInput() }
    }

    func deadlineReached() {
        decide {
            $0.deadlineReached(
                isBlocked: socket.isBlocked, unsentBytes: output.readableBytes, now: $1, into: &$2)
        }
    }

    func closed(_ error: (any Error)?) {
        conversation.closed()
        tellThatInputEnded()
        parts.removeAll()
        held = ByteBuffer()
        output = ByteBuffer()
    }
}
