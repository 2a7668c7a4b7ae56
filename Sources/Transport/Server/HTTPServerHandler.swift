internal import NIOCore
internal import NIOHTTP1

/// HTTP on one connection: asks the service, keeps answers in order, and leaves at an upgrade.
///
/// Owner of the socket at the channel's head, and the only handler behind it, which the parser
/// gives its parts to. All answers of one loop turn leave in one write.
final class HTTPServerHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart

    /// What the bytes that come now belong to.
    enum Reading {
        /// Between requests; no byte of the next one has come.
        case nothing
        /// A request's head is incomplete.
        case head
        /// A request that the service has not admitted yet.
        case admission(Int, RequestCheck)
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
        var sender: (any Sendable)?
        var isLast: Bool
        var bytes = ByteBuffer()
        var reservation: BodyReservation?
        var deadline: NIODeadline
    }

    enum UpgradeRequest {
        case decided(HTTPUpgrade)
        case open((HTTPUpgradeDecision) -> Void)
    }

    let socket: SocketHandler
    let service: any HTTPService
    let info: ConnectionInfo
    let bodies: BodyBudget
    let parser: RequestParser
    var limits: TransportLimits { socket.loop.limits }

    var reading = Reading.nothing
    var answers = AnswerQueue()
    /// Answers on their way to the socket.
    var output = ByteBuffer()
    /// Parsed parts and plaintext that wait until requests may be begun again.
    var parts = CircularBuffer<HTTPServerRequestPart>(initialCapacity: 0)
    var held = ByteBuffer()
    var context: ChannelHandlerContext?
    var isLastAnswerWritten = false
    var isFeeding = false
    var isUpgrading = false
    var isFinishing = false
    /// The upgrade whose 101 is on its way.
    var departure: HTTPUpgrade?
    var isStalled = false

    init(
        _ socket: SocketHandler, service: any HTTPService, info: ConnectionInfo, bodies: BodyBudget
    ) {
        self.socket = socket
        self.service = service
        self.info = info
        self.bodies = bodies
        parser = RequestParser(socket.loop.limits)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        parser.begin(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        parser.end(context)
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

    /// Whether a request has to wait: for answers to leave, or for the service to decide.
    ///
    /// One that has begun goes on, because its own answer is among those that are counted.
    var isHolding: Bool {
        switch reading {
        case .nothing, .head:
            answers.count >= limits.pipelinedRequestsMax
                || output.readableBytes + answers.waitingBytes >= limits.answerBytesMax
        case .admission: true
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
        case .head, .admission, .body, .unwanted, .upgrade, .left, .over: break
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
