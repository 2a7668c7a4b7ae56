internal import NIOCore
internal import OpenSSLBridge

/// What the sockets of one event loop share: scratch memory, timeouts, work for the end of a turn.
///
/// Confined to its event loop.
final class SocketLoop {
    let eventLoop: any EventLoop
    let limits: TransportLimits
    private(set) var sockets: [SocketHandler] = []
    private var timed: [SocketHandler] = []
    private var turn: [SocketHandler] = []
    private var ending: [SocketHandler] = []
    private var isTicking = false
    private var scratch: [UnsafeMutableRawBufferPointer] = []
    private let scratchMax: Int
    private var date = HTTPDate()
    /// For TLS sessions that own their records.
    private(set) lazy var recordEngine = RecordEngine()
    /// What newcomers have sent.
    private var newcomers: TurnQueue<(SocketHandler, SocketInput.Piece)>

    /// Two records' worth, and as much ciphertext as one read takes beside NIO's own.
    static let scratchBytes = 64 * 1024

    /// Keeps at most `scratchMax` scratch buffers while nobody uses them.
    init(_ eventLoop: any EventLoop, limits: TransportLimits, scratchMax: Int) {
        self.eventLoop = eventLoop
        self.limits = limits
        self.scratchMax = scratchMax
        newcomers = TurnQueue(limits.newcomerTurn)
    }

    deinit {
        for buffer in scratch { buffer.deallocate() }
    }

    // MARK: Scratch memory

    /// Lends a buffer during `body`; a nested loan is another buffer.
    ///
    /// Unsafe memory on the hot path: one shared buffer instead of one per connection or per read.
    func withScratch<Result>(_ body: (UnsafeMutableRawBufferPointer) -> Result) -> Result {
        let buffer = scratch.popLast() ?? .allocate(byteCount: Self.scratchBytes, alignment: 64)
        defer {
            if scratch.count < scratchMax { scratch.append(buffer) } else { buffer.deallocate() }
        }
        return body(buffer)
    }

    // MARK: Who is here

    func join(_ socket: SocketHandler) {
        socket.place = sockets.count
        sockets.append(socket)
    }

    func leave(_ socket: SocketHandler) {
        stopTiming(socket)
        guard let place = socket.place else { return }
        socket.place = nil
        let last = sockets.removeLast()
        guard last !== socket else { return }
        sockets[place] = last
        last.place = place
    }

    // MARK: Timeouts

    /// Begins to look at the socket's deadline in each tick.
    func time(_ socket: SocketHandler) {
        guard socket.timedPlace == nil else { return }
        socket.timedPlace = timed.count
        timed.append(socket)
        scheduleTick()
    }

    func stopTiming(_ socket: SocketHandler) {
        guard let place = socket.timedPlace else { return }
        socket.timedPlace = nil
        let last = timed.removeLast()
        guard last !== socket else { return }
        timed[place] = last
        last.timedPlace = place
    }

    // One task for all sockets, and none while nobody waits: a timer each would cost memory.
    private func scheduleTick() {
        guard !isTicking, !timed.isEmpty else { return }
        isTicking = true
        eventLoop.assumeIsolated().scheduleTask(in: limits.tick) {
            self.isTicking = false
            self.tick(.now())
            self.scheduleTick()
        }
    }

    private func tick(_ now: NIODeadline) {
        // Backwards, because whoever leaves is replaced by the last.
        for place in timed.indices.reversed() where place < timed.count {
            let socket = timed[place]
            if socket.deadline <= now { socket.deadlineReached() }
        }
    }

    // MARK: The end of a turn

    /// Calls the socket's `turnEnded` once, when what is on the event loop's list now has run.
    func callAtEndOfTurn(_ socket: SocketHandler) {
        turn.append(socket)
        guard turn.count == 1 else { return }
        eventLoop.assumeIsolated().execute { self.endTurn() }
    }

    private func endTurn() {
        // Who joins the list meanwhile is called in the next turn, so that this one ends.
        swap(&turn, &ending)
        for socket in ending { socket.turnEnded() }
        ending.removeAll(keepingCapacity: true)
    }

    // MARK: Newcomers

    /// Whether the input of a newcomer waits, because others of its kind have had this turn.
    ///
    /// When thousands come at once, each has a handshake, an upgrade and a subscribe, and one poll
    /// gives all of them. Whoever is here already must not wait for that.
    func putsOff(_ piece: SocketInput.Piece, of socket: SocketHandler) -> Bool {
        let isFirst = !newcomers.isUnderWay
        let mayBegin = newcomers.mayBegin(now: .now())
        if !mayBegin { newcomers.append((socket, piece)) }
        if isFirst { scheduleNewcomers() }
        return !mayBegin
    }

    private func scheduleNewcomers() {
        LoopPolls.shared.afterPoll(on: eventLoop) { self.takeNewcomers() }
    }

    private func takeNewcomers() {
        newcomers.beginTurn()
        while let (socket, piece) = newcomers.next(now: .now()) { socket.turnCame(piece) }
        if newcomers.isUnderWay { scheduleNewcomers() }
    }

    // MARK: The date

    /// The value of a Date header for now, made once a second.
    func httpDate() -> String { date.text() }
}
