internal import NIOCore
internal import NIOHTTP1

/// The socket's side: plaintext, backpressure, time, the end.
extension HTTPServerHandler: SocketOwner {
    func opened() { socket.setDeadline(.now() + limits.headTimeout) }

    func received(_ bytes: UnsafeRawBufferPointer) {
        if case .over = reading { return }
        guard !isHolding, !isFeeding, held.readableBytes == 0 else {
            hold(bytes)
            return
        }
        feed(ByteBuffer(bytes: bytes))
    }

    /// Gives the parser plaintext in pieces, so that few requests are parsed beyond a limit.
    private func feed(_ bytes: ByteBuffer) {
        guard !isOver, let context = socket.context else { return }
        var rest = bytes
        isFeeding = true
        defer { isFeeding = false }
        while let piece = rest.readSlice(length: min(rest.readableBytes, TLSRecord.bytesMax)),
            piece.readableBytes > 0
        {
            if case .nothing = reading {
                reading = .head
                socket.setDeadline(.now() + limits.headTimeout)
            }
            do { try parser.parse(piece, context) } catch { parsingFailed(error) }
            if isOver { return }
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
        guard held.readableBytes + bytes.count <= limits.heldBytesMax else {
            socket.abort()
            return
        }
        held.writeBytes(bytes)
    }

    func writable() {
        isStalled = false
        flush()
        resume()
    }

    func turnEnded() {
        flush()
        resume()
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

    func inputEnded() {
        if case .admission = reading { return }
        if !isFeeding, parts.isEmpty, held.readableBytes == 0 { endOfInput() }
    }

    /// Complete requests are still answered, and then the connection ends.
    private func endOfInput() {
        if case .body(let body) = reading {
            refuse(body.number, .badRequest("its body ended early"), head: body.head)
        } else {
            answers.closeBehindLast()
            closeIfDone()
        }
    }

    func deadlineReached() {
        switch reading {
        case _ where socket.isBlocked: socket.abort()
        case .body(let body): refuse(body.number, .requestTimeout, head: body.head)
        // It is our answers that take long, not the client's request.
        case .head where isHolding: socket.setDeadline(.now() + limits.headTimeout)
        case .head: refuse(answers.open(.init()), .requestTimeout)
        case .unwanted: socket.close()
        case .nothing where answers.isEmpty: socket.close()
        case .nothing, .admission, .upgrade, .left, .over: socket.setDeadline(.distantFuture)
        }
    }

    /// Ends the connection when its requests have been answered.
    func finish() {
        isFinishing = true
        switch reading {
        case .nothing where answers.isEmpty: endReading()
        case .nothing, .admission, .body, .unwanted: answers.closeBehindLast()
        case .head, .upgrade, .left, .over: break
        }
    }

    func closed(_ error: (any Error)?) {
        reading = .over
        answers.clear()
        parts.removeAll()
        held = ByteBuffer()
        output = ByteBuffer()
    }
}
