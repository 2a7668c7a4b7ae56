internal import NIOCore
internal import NIOHTTP1

/// From parts to requests that the service answers.
extension HTTPServerHandler {
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = Self.unwrapInboundIn(data)
        parser.gave(part)
        if isHolding || !parts.isEmpty { parts.append(part) } else { take(part) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { parsingFailed(error) }

    /// Nothing can be told from what has come, nor from what comes after it.
    func parsingFailed(_ error: any Error) {
        guard socket.isOpen else { return }
        switch reading {
        case .left, .over: break
        case .body(let body): refuse(body.number, HTTPFault(parsing: error))
        case .admission(let number, _), .upgrade(let number, _):
            refuse(number, HTTPFault(parsing: error))
        case .nothing, .head, .unwanted:
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
        case .collect(let bytesMax, let sender): collect(number, check, bytesMax, sender)
        case .answer(let answer): answerEarly(number, answer, check)
        case .pending(let decide):
            reading = .admission(number, check)
            socket.setDeadline(.distantFuture)
            decide(HTTPAdmissionDecision { [weak self] in self?.admitted(number, $0) })
        case .upgrade(let upgrade): begin(.decided(upgrade), number, check)
        case .pendingUpgrade(let decide): begin(.open(decide), number, check)
        }
    }

    private func admitted(_ number: Int, _ outcome: HTTPAdmissionDecision.Outcome) {
        // The connection may have ended while the decision was made.
        guard case .admission(let awaited, let check) = reading, awaited == number, socket.isOpen
        else { return }
        switch outcome {
        case .collect(let bytesMax, let sender): collect(number, check, bytesMax, sender)
        case .answer(let answer): answerEarly(number, answer, check)
        case .dropped:
            reading = .over
            refuse(number, .unanswered, head: check.head)
        }
        // What was held goes on then.
        socket.callAtEndOfTurn()
    }

    private func collect(
        _ number: Int, _ check: RequestCheck, _ bytesMax: Int, _ sender: (any Sendable)?
    ) {
        guard check.length ?? 0 <= bytesMax else {
            refuse(number, .bodyTooLarge(bodyBytesMax: bytesMax), head: check.head)
            return
        }
        let now = NIODeadline.now()
        reading = .body(
            RequestBody(
                head: check.head, number: number, bytesMax: bytesMax, sender: sender,
                isLast: check.isLast, reservation: check.hasBody ? BodyReservation(bodies) : nil,
                deadline: now + limits.bodyTimeout))
        if check.hasBody {
            if check.expectsContinue { answers.expectContinue(number) }
            noteProgress(now)
        }
        advance()
    }

    /// Answers without the body: a short one is read and forgotten, otherwise the connection ends.
    private func answerEarly(_ number: Int, _ answer: HTTPAnswer, _ check: RequestCheck) {
        var answer = answer
        let isShort = check.length ?? 0 <= limits.drainBytesMax && !check.expectsContinue
        // Who is between may take a refused upgrade for one that was taken, and what follows for a
        // tunnel: such a connection carries no further request.
        if !isShort || check.asksForUpgrade || check.isLast {
            answer.closes = true
            reading = .over
        } else {
            reading = .unwanted(bytesLeft: limits.drainBytesMax)
            socket.setDeadline(.now() + limits.bodyIdleTimeout)
        }
        settle(number, with: answer)
    }

    private func begin(_ request: UpgradeRequest, _ number: Int, _ check: RequestCheck) {
        guard check.asksForUpgrade, !check.hasBody else {
            refuse(number, .badRequest("an upgrade that is not one"), head: check.head)
            return
        }
        // Until the 101 it can still be answered otherwise, and ends the connection then, as above.
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
            guard body.reservation?.take(bytes.readableBytes) ?? true else {
                let fault = HTTPFault.bodiesTooLarge(bodiesBytesMax: bodies.bytesMax)
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
        case .nothing, .head, .admission, .upgrade, .left, .over: break
        }
    }

    private func end() {
        switch reading {
        case .body(let body):
            if body.isLast { reading = .over } else { becomeIdle() }
            service.respond(to: HTTPExchange(body, handler: self))
        case .unwanted: becomeIdle()
        case .upgrade(let number, let request):
            isUpgrading = true
            socket.setDeadline(.distantFuture)
            decide(number, request)
        case .nothing, .head, .admission, .left, .over: break
        }
    }

    private func becomeIdle() {
        reading = .nothing
        socket.setDeadline(.now() + limits.keepAliveTimeout)
    }

    func noteProgress(_ now: NIODeadline) {
        guard case .body(let body) = reading else { return }
        socket.setDeadline(min(now + limits.bodyIdleTimeout, body.deadline))
    }
}
