package import NIOCore

/// What a stream's bytes are given to; confined to the connection's event loop.
package protocol StreamHandler: AnyObject {
    /// Plaintext from the peer, valid during the call only.
    func received(_ bytes: UnsafeRawBufferPointer)

    /// The connection was blocked and is not any more.
    func writable()

    /// The peer sends nothing more; it may still read. Usually answered by `close`.
    func inputEnded()

    /// The connection is over: called exactly once, never from inside another call to the
    /// connection; what is sent afterwards goes nowhere.
    func closed()
}

/// The socket of a stream: an upgraded connection, an answer without end, or one that never spoke
/// HTTP.
///
/// Confined to its event loop. Records are sealed and written straight to the descriptor; what the
/// kernel does not take is kept and makes the connection blocked until it was flushed.
package final class StreamConnection {
    package let info: ConnectionInfo
    private let socket: SocketHandler
    private let framing: StreamFraming
    private var handler: (any StreamHandler)?
    /// Called when the socket is open, if it was not from the start.
    private var whenOpen: ((StreamConnection) -> any StreamHandler)?
    private var isOver = false
    private var wantsReading = true
    private var hasBegun = false

    init(_ socket: SocketHandler, info: ConnectionInfo, framing: StreamFraming = .none) {
        self.socket = socket
        self.info = info
        self.framing = framing
    }

    package var eventLoop: any EventLoop { info.eventLoop }

    /// Whether what was sent is still waiting; send only small control frames then.
    package var isBlocked: Bool { socket.isBlocked }

    /// How far the peer's system has come with what was sent; costs a system call.
    ///
    /// `nil` if the connection is over, or nobody can tell.
    package var progress: SocketProgress? { socket.progress }

    /// Whether bytes can still be sent: neither closed, nor aborted, nor broken.
    package var isOpen: Bool { socket.isOpen }

    /// Seals `plaintext` in records of at most 16 KiB and writes them.
    ///
    /// Without effect once the connection is closed. Sending more than
    /// `TransportLimits.blockedBytesMax` while it is blocked aborts it.
    package func send(_ plaintext: UnsafeRawBufferPointer) {
        switch framing {
        case .none: socket.send(plaintext)
        case .chunked: sendChunks(of: plaintext)
        }
    }

    /// Unsafe memory on the hot path: a chunk is put together in the loop's scratch memory, so that
    /// it leaves in as few records as its bytes alone would.
    private func sendChunks(of plaintext: UnsafeRawBufferPointer) {
        var rest = plaintext[...]
        while !rest.isEmpty, socket.isOpen {
            let bytes = rest.prefix(SocketLoop.scratchBytes / 2)
            rest = rest.dropFirst(bytes.count)
            socket.loop.withScratch { space in
                let begin = Array("\(String(bytes.count, radix: 16))\r\n".utf8)
                space.copyBytes(from: begin)
                var end = begin.count
                UnsafeMutableRawBufferPointer(rebasing: space[end...]).copyBytes(from: bytes)
                end += bytes.count
                UnsafeMutableRawBufferPointer(rebasing: space[end...]).copyBytes(from: [13, 10])
                socket.send(UnsafeRawBufferPointer(rebasing: space[..<(end + 2)]))
            }
        }
    }

    /// Stops or resumes reading from the peer; at most one read's worth still arrives.
    package func setReading(_ isReading: Bool) {
        wantsReading = isReading
        if hasBegun { socket.setReading(isReading) }
    }

    /// Closes after what is pending was flushed, with close_notify, within
    /// `TransportLimits.closeTimeout`; nothing is received any more.
    package func close() {
        // Without it the client could not tell a body that has ended from one that was cut off.
        if framing == .chunked { Array("0\r\n\r\n".utf8).withUnsafeBytes { socket.send($0) } }
        socket.close()
    }

    /// Closes at once; what is pending is lost.
    package func abort() { socket.abort() }

    /// Makes this connection the socket's owner, with what had already arrived.
    func begin(_ handler: any StreamHandler, early: [ByteBuffer], isInputOver: Bool) {
        self.handler = handler
        socket.owner = self
        for bytes in early {
            bytes.withUnsafeReadableBytes { received($0) }
        }
        if isInputOver, socket.isOpen { handler.inputEnded() }
        hasBegun = true
        socket.setReading(wantsReading)
    }

    /// The same as soon as bytes can be sent; for connections that never spoke HTTP.
    func begin(whenOpen: @escaping (StreamConnection) -> any StreamHandler) {
        self.whenOpen = whenOpen
        socket.owner = self
    }
}

@available(*, unavailable) extension StreamConnection: Sendable {}

extension StreamConnection: SocketOwner {
    func opened() {
        guard let whenOpen else { return }
        self.whenOpen = nil
        socket.stopTiming()
        begin(whenOpen(self), early: [], isInputOver: false)
    }

    func received(_ bytes: UnsafeRawBufferPointer) {
        guard socket.isOpen, !bytes.isEmpty else { return }
        handler?.received(bytes)
    }

    func writable() { handler?.writable() }

    func inputEnded() { handler?.inputEnded() }

    func deadlineReached() {}

    func turnEnded() {}

    func closed(_ error: (any Error)?) {
        guard !isOver else { return }
        isOver = true
        let handler = handler
        self.handler = nil
        handler?.closed()
    }
}
