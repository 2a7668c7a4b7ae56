internal import NIOCore
internal import NIOHTTP1

/// The conversation of one server connection (RFC 9112 9): requests come in parts, and answers
/// leave in the order of their requests.
///
/// It decides, `HTTPServerHandler` acts. Every action that asks the service comes last of its
/// input's actions, as the answer is the next input.
struct HTTPConversation {
    enum Action {
        /// Ask the service what is to be done with a request; `admitted` or `waits` tells.
        case admit(HTTPRequestHead, number: Int)
        /// Have a complete request answered; `answered`, `streamed` or `refused` tells.
        case respond(CollectedRequest)
        /// Have the service word a refusal; `answered` tells.
        case word(HTTPFault, HTTPRequestHead?, number: Int)
        case write(HTTPAnswer, AnswerQueue.Request)
        case writeContinue
        /// Write the head alone.
        case writeHead(HTTPStream, AnswerQueue.Request)
        /// The head has left: make the connection a stream.
        case open(HTTPStream, StreamFraming)
        case setDeadline(NIODeadline)
        /// Forget what has come and was not looked at; nothing more is read.
        case discardInput
        case close
        case abort
    }

    /// What the bytes that come now belong to.
    private enum Reading {
        /// Between requests; no byte of the next one has come.
        case nothing
        /// A request's head is incomplete.
        case head
        /// A request that the service has not admitted yet.
        case admission(Int, RequestCheck)
        case body(CollectedRequest)
        /// An unwanted body of which so many bytes are read and forgotten.
        case unwanted(bytesLeft: Int)
        /// A complete request behind which nothing is read until it is answered: the answer may
        /// be a stream.
        case lone(Int, asksForUpgrade: Bool)
        /// The connection becomes a stream: its head waits for its turn, or leaves.
        case leaving
        /// Nothing more is read; what is answered is still sent.
        case over
    }

    private let limits: TransportLimits
    private let bodies: BodyBudget
    private var reading = Reading.nothing
    private var answers = AnswerQueue()
    /// The stream whose head is on its way.
    private var departure: (stream: HTTPStream, framing: StreamFraming)?
    /// Answers were written and have not all left.
    private var hasOutput = false
    private var isInputOver = false
    private var isFinishing = false
    /// The client takes nothing of what was written; its deadline is running.
    private var isStalled = false

    init(_ limits: TransportLimits, bodies: BodyBudget) {
        self.limits = limits
        self.bodies = bodies
    }

    var isOver: Bool {
        if case .over = reading { true } else { false }
    }

    /// Whether what comes has to wait: for answers to leave, or for the service to decide.
    ///
    /// A request that has begun goes on, because its own answer is among those that are counted.
    func isHolding(unsentBytes: Int) -> Bool {
        switch reading {
        case .nothing, .head:
            answers.count >= limits.pipelinedRequestsMax
                || unsentBytes + answers.waitingBytes >= limits.answerBytesMax
        case .admission, .lone, .leaving: true
        case .body, .unwanted, .over: false
        }
    }

    // MARK: Requests

    mutating func opened(now: NIODeadline, into actions: inout [Action]) {
        actions.append(.setDeadline(now + limits.headTimeout))
    }

    /// Bytes came that are parsed now.
    mutating func bytesCame(now: NIODeadline, into actions: inout [Action]) {
        guard case .nothing = reading else { return }
        reading = .head
        actions.append(.setDeadline(now + limits.headTimeout))
    }

    mutating func received(
        _ part: HTTPServerRequestPart, now: NIODeadline, into actions: inout [Action]
    ) {
        switch part {
        case .head(let head): begin(head, into: &actions)
        case .body(let bytes): continueBody(bytes, now: now, into: &actions)
        case .end: end(now: now, into: &actions)
        }
    }

    private mutating func begin(_ head: HTTPRequestHead, into actions: inout [Action]) {
        guard !isOver else { return }
        let check: RequestCheck
        do {
            check = try RequestCheck(head, uriBytesMax: limits.uriBytesMax)
        } catch {
            let number = answers.open(.init(isHead: head.method == .HEAD))
            return refuse(number, error.fault, head: head, into: &actions)
        }
        let number = answers.open(check.request)
        if isFinishing { answers.close(behind: number) }
        reading = .admission(number, check)
        actions.append(.admit(check.head, number: number))
    }

    /// The service decides later; the client is not to blame for the time that takes.
    mutating func waits(into actions: inout [Action]) {
        actions.append(.setDeadline(.distantFuture))
    }

    /// The service has decided about a request by its head.
    mutating func admitted(
        _ number: Int, _ outcome: HTTPAdmissionDecision.Outcome, now: NIODeadline,
        into actions: inout [Action]
    ) {
        // The connection may have ended while the decision was made.
        guard case .admission(let awaited, let check) = reading, awaited == number else { return }
        switch outcome {
        case .collect(let collection):
            collect(number, check, collection, now: now, into: &actions)
        case .answer(let answer):
            answerEarly(number, answer, check, now: now, into: &actions)
        case .dropped:
            reading = .over
            refuse(number, .unanswered, head: check.head, into: &actions)
        }
    }

    private mutating func collect(
        _ number: Int, _ check: RequestCheck, _ collection: HTTPCollection, now: NIODeadline,
        into actions: inout [Action]
    ) {
        guard !(collection.mayStream && check.hasBody) else {
            let fault = HTTPFault.badRequest("a request for a stream has a body")
            return refuse(number, fault, head: check.head, into: &actions)
        }
        guard check.length ?? 0 <= collection.bodyBytesMax else {
            let fault = HTTPFault.bodyTooLarge(bodyBytesMax: collection.bodyBytesMax)
            return refuse(number, fault, head: check.head, into: &actions)
        }
        let request = CollectedRequest(
            check, number, collection, deadline: now + limits.bodyTimeout,
            reservation: check.hasBody ? BodyReservation(bodies) : nil)
        reading = .body(request)
        if check.hasBody {
            if check.expectsContinue { answers.expectContinue(number) }
            noteProgress(of: request, now: now, into: &actions)
        }
        advance(into: &actions)
    }

    /// Answers without the body: a short one is read and forgotten, otherwise the connection ends.
    private mutating func answerEarly(
        _ number: Int, _ answer: HTTPAnswer, _ check: RequestCheck, now: NIODeadline,
        into actions: inout [Action]
    ) {
        var answer = answer
        let isShort = check.length ?? 0 <= limits.drainBytesMax && !check.expectsContinue
        // Who is between may take a refused upgrade for one that was taken, and what follows for a
        // tunnel: such a connection carries no further request.
        if !isShort || check.asksForUpgrade || check.isLast {
            answer.closes = true
            reading = .over
        } else {
            reading = .unwanted(bytesLeft: limits.drainBytesMax)
            actions.append(.setDeadline(now + limits.bodyIdleTimeout))
        }
        answers.answer(number, with: answer)
        advance(into: &actions)
    }

    private mutating func continueBody(
        _ bytes: ByteBuffer, now: NIODeadline, into actions: inout [Action]
    ) {
        switch reading {
        case .body(var request):
            // One owner at a time, or the body is copied with every part.
            reading = .nothing
            answers.bodyBegun(request.number)
            guard request.bytes.readableBytes + bytes.readableBytes <= request.bodyBytesMax else {
                let fault = HTTPFault.bodyTooLarge(bodyBytesMax: request.bodyBytesMax)
                return refuse(request.number, fault, head: request.head, into: &actions)
            }
            guard request.reservation?.take(bytes.readableBytes) ?? true else {
                let fault = HTTPFault.bodiesTooLarge(bodiesBytesMax: bodies.bytesMax)
                return refuse(request.number, fault, head: request.head, into: &actions)
            }
            request.append(bytes)
            noteProgress(of: request, now: now, into: &actions)
            reading = .body(request)
        case .unwanted(let left):
            reading = .unwanted(bytesLeft: left - bytes.readableBytes)
            if left < bytes.readableBytes { endReading(into: &actions) }
        case .nothing, .head, .admission, .lone, .leaving, .over: break
        }
    }

    private mutating func end(now: NIODeadline, into actions: inout [Action]) {
        switch reading {
        case .body(let request):
            if request.mayStream {
                // Until its head leaves it can still be answered otherwise; a refused upgrade
                // then ends the connection, as above.
                if request.asksForUpgrade { answers.close(behind: request.number) }
                reading = .lone(request.number, asksForUpgrade: request.asksForUpgrade)
                actions.append(.setDeadline(.distantFuture))
            } else if request.isLast {
                reading = .over
            } else {
                becomeIdle(now: now, into: &actions)
            }
            actions.append(.respond(request))
        case .unwanted: becomeIdle(now: now, into: &actions)
        case .nothing, .head, .admission, .lone, .leaving, .over: break
        }
    }

    private mutating func becomeIdle(now: NIODeadline, into actions: inout [Action]) {
        reading = .nothing
        actions.append(.setDeadline(now + limits.keepAliveTimeout))
    }

    private func noteProgress(
        of request: CollectedRequest, now: NIODeadline, into actions: inout [Action]
    ) {
        actions.append(.setDeadline(min(now + limits.bodyIdleTimeout, request.deadline)))
    }

    /// Nothing can be told from what has come, nor from what comes after it.
    mutating func parsingFailed(_ fault: HTTPFault, into actions: inout [Action]) {
        switch reading {
        case .leaving, .over: break
        case .body(let request): refuse(request.number, fault, head: nil, into: &actions)
        case .admission(let number, _), .lone(let number, _):
            refuse(number, fault, head: nil, into: &actions)
        case .nothing, .head, .unwanted:
            refuse(answers.open(.init()), fault, head: nil, into: &actions)
        }
    }

    // MARK: Answers

    /// The answer to a request came; it leaves when it is its turn.
    mutating func answered(
        _ number: Int, with answer: HTTPAnswer, now: NIODeadline, into actions: inout [Action]
    ) {
        if case .lone(number, let asksForUpgrade) = reading {
            if asksForUpgrade { reading = .over } else { becomeIdle(now: now, into: &actions) }
        }
        answers.answer(number, with: answer)
        advance(into: &actions)
    }

    /// The answer to a request is a stream.
    mutating func streamed(
        _ number: Int, as stream: HTTPStream, into actions: inout [Action]
    ) {
        // The connection may have ended while the stream was prepared.
        guard case .lone(number, let asksForUpgrade) = reading else { return }
        guard asksForUpgrade || stream.status != .switchingProtocols else {
            let fault = HTTPFault.badRequest("it does not ask for an upgrade")
            return refuse(number, fault, head: nil, into: &actions)
        }
        reading = .leaving
        answers.stream(number, with: stream)
        advance(into: &actions)
    }

    /// Nobody will answer a request.
    mutating func unanswered(_ number: Int, into actions: inout [Action]) {
        refuse(number, .unanswered, head: nil, into: &actions)
    }

    /// Answers a request with a fault, and ends the connection behind it.
    private mutating func refuse(
        _ number: Int, _ fault: HTTPFault, head: HTTPRequestHead?, into actions: inout [Action]
    ) {
        if fault != .unanswered { reading = .over }
        actions.append(.word(fault, head, number: number))
    }

    /// Writes the answers whose turn it is.
    private mutating func advance(into actions: inout [Action]) {
        while let next = answers.next() {
            hasOutput = true
            switch next {
            case .answer(let answer, let request):
                actions.append(.write(answer, request))
                if answer.closes || !request.keepsAlive { endReading(into: &actions) }
            case .sendContinue:
                actions.append(.writeContinue)
            case .stream(let stream, let request):
                actions.append(.writeHead(stream, request))
                if request.isHead { return endReading(into: &actions) }
                departure = (stream, stream.framing(for: request))
            }
        }
    }

    private mutating func endReading(into actions: inout [Action]) {
        reading = .over
        actions.append(.discardInput)
        answers.closeBehindLast()
        closeIfDone(into: &actions)
    }

    private func closeIfDone(into actions: inout [Action]) {
        guard isOver || isInputOver, !hasOutput, answers.isEmpty else { return }
        actions.append(.close)
    }

    // MARK: The socket

    /// All that was written has left.
    mutating func flushed(now: NIODeadline, into actions: inout [Action]) {
        hasOutput = false
        let wasStalled = isStalled
        isStalled = false
        if let departure {
            self.departure = nil
            actions.append(.open(departure.stream, departure.framing))
            return
        }
        switch reading {
        case .nothing:
            let deadline = answers.isEmpty ? now + limits.keepAliveTimeout : .distantFuture
            actions.append(.setDeadline(deadline))
        case .body(let request) where wasStalled:
            noteProgress(of: request, now: now, into: &actions)
        case .head where wasStalled: actions.append(.setDeadline(now + limits.headTimeout))
        case .leaving: return
        case .head, .admission, .body, .unwanted, .lone, .over: break
        }
        closeIfDone(into: &actions)
    }

    /// The client does not take what was written.
    mutating func blocked(now: NIODeadline, into actions: inout [Action]) {
        guard !isStalled else { return }
        isStalled = true
        actions.append(.setDeadline(now + limits.answerStallTimeout))
    }

    /// The client took something of what was written.
    mutating func progressed() { isStalled = false }

    /// The client sends nothing more: complete requests are still answered, and then the connection
    /// ends.
    mutating func inputEnded(into actions: inout [Action]) {
        switch reading {
        // Told again when what has come can be looked at.
        case .admission, .lone, .leaving: break
        case .body(let request):
            refuse(
                request.number, .badRequest("its body ended early"), head: request.head,
                into: &actions)
        case .nothing, .head, .unwanted, .over:
            isInputOver = true
            answers.closeBehindLast()
            closeIfDone(into: &actions)
        }
    }

    mutating func deadlineReached(
        isBlocked: Bool, unsentBytes: Int, now: NIODeadline, into actions: inout [Action]
    ) {
        switch reading {
        case _ where isBlocked: actions.append(.abort)
        case .body(let request):
            refuse(request.number, .requestTimeout, head: request.head, into: &actions)
        // It is our answers that take long, not the client's request.
        case .head where isHolding(unsentBytes: unsentBytes):
            actions.append(.setDeadline(now + limits.headTimeout))
        case .head: refuse(answers.open(.init()), .requestTimeout, head: nil, into: &actions)
        case .unwanted: actions.append(.close)
        case .nothing where answers.isEmpty: actions.append(.close)
        case .nothing, .admission, .lone, .leaving, .over:
            actions.append(.setDeadline(.distantFuture))
        }
    }

    /// The connection is to end when its requests have been answered.
    mutating func finish(into actions: inout [Action]) {
        isFinishing = true
        switch reading {
        case .nothing where answers.isEmpty: endReading(into: &actions)
        case .nothing, .admission, .body, .unwanted, .lone: answers.closeBehindLast()
        case .head, .leaving, .over: break
        }
    }

    /// The connection is gone.
    mutating func closed() {
        reading = .over
        departure = nil
        answers.clear()
    }
}
