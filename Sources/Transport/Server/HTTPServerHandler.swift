internal import NIOCore
internal import NIOHTTP1

/// HTTP on one connection: asks the service, keeps answers in order, and leaves at an upgrade.
///
/// Last handler of the channel, behind NIO's decoder, and owner of the socket at its head. All
/// answers of one loop turn leave in one write.
final class HTTPServerHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart

    /// What the bytes that come now belong to.
    enum Reading {
        /// Between requests; no byte of the next one has come.
        case nothing
        /// A request's head is incomplete.
        case head
        case body(RequestBody)
        /// An unwanted body of which so many bytes are read and forgotten.
        case unwanted(bytesLeft: Int)
        /// A request that asks for an upgrade, up to its end.
        case upgrade(Int, UpgradeRequest)
        /// The HTTP handlers are leaving.
        case left
        /// Nothing more is read; what is answered is still sent.
        case over
    }

    struct RequestBody {
        var head: HTTPRequestHead
        var number: Int
        var bytesMax: Int
        var bytes = ByteBuffer()
        var deadline: NIODeadline
    }

    enum UpgradeRequest {
        case decided(HTTPUpgrade)
        case open((HTTPUpgradeDecision) -> Void)
    }

    let socket: SocketHandler
    let service: any HTTPService
    let info: ConnectionInfo
    let decoder: ByteToMessageHandler<HTTPRequestDecoder>
    var limits: TransportLimits { socket.loop.limits }

    var reading = Reading.nothing
    var answers = AnswerQueue()
    /// Answers on their way to the socket.
    var output = ByteBuffer()
    /// Parsed parts and plaintext that wait until requests may be begun again.
    var parts = CircularBuffer<HTTPServerRequestPart>(initialCapacity: 0)
    var held = ByteBuffer()
    /// What the decoder had beyond the upgrade.
    var leftover = ByteBuffer()
    var context: ChannelHandlerContext?
    var isLastAnswerWritten = false
    var isFeeding = false
    var isUpgrading = false
    var isFinishing = false
    /// The upgrade whose 101 is on its way.
    var departure: HTTPUpgrade?
    var isStalled = false

    init(_ socket: SocketHandler, service: any HTTPService, info: ConnectionInfo) {
        self.socket = socket
        self.service = service
        self.info = info
        var parserLimits = NIOHTTPDecoderLimitConfiguration()
        parserLimits.maxHeaderFieldSize = socket.loop.limits.headerBytesMax
        parserLimits.maxHeaderListSize = socket.loop.limits.headerBytesMax
        parserLimits.maxHeaderFieldCount = socket.loop.limits.headerCountMax
        decoder = ByteToMessageHandler(
            HTTPRequestDecoder(
                leftOverBytesStrategy: .forwardBytes, limitConfiguration: parserLimits))
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .left = reading {
            // The decoder leaves and hands over what it had not parsed.
            var rest = SocketHandler.unwrapInboundIn(data)
            leftover.writeBuffer(&rest)
            return
        }
        let part = Self.unwrapInboundIn(data)
        if isHolding || !parts.isEmpty { parts.append(part) } else { take(part) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard socket.isOpen else { return }
        switch reading {
        case .left, .over: break
        case .body(let body): refuse(body.number, HTTPFault(parsing: error))
        case .nothing, .head, .unwanted, .upgrade:
            refuse(answers.open(.init()), HTTPFault(parsing: error))
        }
    }

    func take(_ part: HTTPServerRequestPart) {
        switch part {
        case .head(let head): begin(head)
        case .body(let bytes): continueBody(bytes)
        case .end: end()
        }
    }

    private func begin(_ head: HTTPRequestHead) {
        guard !isOver else { return }
        let check: RequestCheck
        do {
            check = try RequestCheck(head, uriBytesMax: limits.uriBytesMax)
        } catch {
            refuse(answers.open(.init(isHead: head.method == .HEAD)), error.fault, head: head)
            return
        }
        let number = answers.open(check.request)
        if isFinishing { answers.close(behind: number) }
        switch service.admit(check.head, from: info) {
        case .collect(let bytesMax):
            guard check.length ?? 0 <= bytesMax else {
                refuse(number, .bodyTooLarge(bodyBytesMax: bytesMax), head: check.head)
                return
            }
            let now = NIODeadline.now()
            reading = .body(
                RequestBody(
                    head: check.head, number: number, bytesMax: bytesMax,
                    deadline: now + limits.bodyTimeout))
            if !check.hasBody { answers.bodyBegun(number) } else { noteProgress(now) }
            advance()
        case .answer(let answer):
            answerEarly(number, answer, check)
        case .upgrade(let upgrade):
            begin(.decided(upgrade), number, check)
        case .pendingUpgrade(let decide):
            begin(.open(decide), number, check)
        }
    }

    /// Answers without the body: a short one is read and forgotten, otherwise the connection ends.
    private func answerEarly(_ number: Int, _ answer: HTTPAnswer, _ check: RequestCheck) {
        var answer = answer
        let isShort = check.length ?? 0 <= limits.drainBytesMax && !check.request.expectsContinue
        answers.bodyBegun(number)
        // NIO's decoder stops behind a request for an upgrade, so such a connection cannot go on.
        if !isShort || check.asksForUpgrade || check.head.method == .CONNECT {
            answer.closes = true
            reading = .over
        } else {
            reading = .unwanted(bytesLeft: limits.drainBytesMax)
        }
        settle(number, with: answer)
    }

    private func begin(_ request: UpgradeRequest, _ number: Int, _ check: RequestCheck) {
        guard check.asksForUpgrade, !check.hasBody else {
            refuse(number, .badRequest("an upgrade that is not one"), head: check.head)
            return
        }
        answers.bodyBegun(number)
        // Until the 101 it can still be answered otherwise, and then the decoder has stopped.
        answers.close(behind: number)
        reading = .upgrade(number, request)
    }

    private func continueBody(_ bytes: ByteBuffer) {
        var bytes = bytes
        switch reading {
        case .body(var body):
            reading = .nothing
            answers.bodyBegun(body.number)
            guard body.bytes.readableBytes + bytes.readableBytes <= body.bytesMax else {
                let fault = HTTPFault.bodyTooLarge(bodyBytesMax: body.bytesMax)
                refuse(body.number, fault, head: body.head)
                return
            }
            if body.bytes.readableBytes == 0 {
                body.bytes = bytes
            } else {
                body.bytes.writeBuffer(&bytes)
            }
            reading = .body(body)
            noteProgress(.now())
        case .unwanted(let left):
            reading = .unwanted(bytesLeft: left - bytes.readableBytes)
            if left < bytes.readableBytes { endReading() }
        case .nothing, .head, .upgrade, .left, .over: break
        }
    }

    private func end() {
        switch reading {
        case .body(let body):
            becomeIdle()
            service.respond(
                to: HTTPExchange(
                    head: body.head, body: body.bytes, connection: info, handler: self,
                    number: body.number))
        case .unwanted: becomeIdle()
        case .upgrade(let number, let request):
            isUpgrading = true
            socket.setDeadline(.distantFuture)
            decide(number, request)
        case .nothing, .head, .left, .over: break
        }
    }

    private func becomeIdle() {
        reading = .nothing
        socket.setDeadline(.now() + limits.keepAliveTimeout)
    }

    private func noteProgress(_ now: NIODeadline) {
        guard case .body(let body) = reading else { return }
        socket.setDeadline(min(now + limits.bodyIdleTimeout, body.deadline))
    }

    // MARK: Answers

    /// Takes the answer to a request; it leaves when it is its turn.
    func settle(_ number: Int, with answer: HTTPAnswer) {
        answers.answer(number, with: answer)
        advance()
    }

    /// Answers a request with a fault, and ends the connection behind it.
    func refuse(_ number: Int, _ fault: HTTPFault, head: HTTPRequestHead? = nil) {
        var answer = service.refuse(fault, head: head)
        answer.closes = true
        if fault != .unanswered { reading = .over }
        settle(number, with: answer)
    }

    var isOver: Bool {
        if case .over = reading { true } else { false }
    }

    /// Whether a request has to wait: for answers to leave, or for an upgrade to be decided.
    ///
    /// One that has begun goes on, because its own answer is among those that are counted.
    var isHolding: Bool {
        switch reading {
        case .nothing, .head:
            answers.count >= limits.pipelinedRequestsMax
                || output.readableBytes >= limits.answerBytesMax
        case .upgrade, .left: isUpgrading
        case .body, .unwanted, .over: false
        }
    }

    /// Writes the answers whose turn it is into `output`.
    func advance() {
        while !isLastAnswerWritten, let next = answers.next() {
            switch next {
            case .answer(let answer, let request):
                let date = socket.loop.httpDate()
                let closes = AnswerEncoding.write(answer, to: request, date: date, into: &output)
                if closes { endReading(writtenLast: true) }
            case .sendContinue:
                output.writeString(AnswerEncoding.pleaseContinue)
            case .upgrade(let upgrade):
                AnswerEncoding.write(upgrade, into: &output)
                departure = upgrade
                flush()
                return
            }
        }
        if output.readableBytes > 0 { socket.callAtEndOfTurn() }
    }

    func endReading(writtenLast: Bool = false) {
        reading = .over
        parts.removeAll()
        held = ByteBuffer()
        if writtenLast { isLastAnswerWritten = true } else { answers.closeBehindLast() }
        closeIfDone()
    }

    /// Seals what the socket takes; the rest goes when it is writable again.
    func flush() {
        while output.readableBytes > 0, !socket.isBlocked, socket.isOpen {
            let count = min(output.readableBytes, Self.sealBytesMax)
            output.withUnsafeReadableBytes {
                socket.send(UnsafeRawBufferPointer(rebasing: $0[..<count]))
            }
            output.moveReaderIndex(forwardBy: count)
        }
        if output.readableBytes > 0 {
            beginStall()
            return
        }
        // An idle connection keeps no buffer.
        output = ByteBuffer()
        endStall()
        if let departure {
            self.departure = nil
            leave(for: departure)
        } else {
            closeIfDone()
        }
    }

    private func beginStall() {
        guard socket.isBlocked, !isStalled else { return }
        isStalled = true
        socket.setDeadline(.now() + limits.answerStallTimeout)
    }

    private func endStall() {
        let wasStalled = isStalled
        isStalled = false
        switch reading {
        case .nothing:
            let now = NIODeadline.now()
            socket.setDeadline(answers.isEmpty ? now + limits.keepAliveTimeout : .distantFuture)
        case .body where wasStalled: noteProgress(.now())
        case .head where wasStalled: socket.setDeadline(.now() + limits.headTimeout)
        case .head, .body, .unwanted, .upgrade, .left, .over: break
        }
    }

    /// What is sealed before it is asked again whether the socket is blocked.
    private static let sealBytesMax = 4 * TLSRecord.bytesMax

    func closeIfDone() {
        let nothingComes = isOver || socket.isInputOver
        guard nothingComes, output.readableBytes == 0, answers.isEmpty, !isUpgrading else { return }
        socket.close()
    }
}

@available(*, unavailable) extension HTTPServerHandler: Sendable {}
