import WebSocketCodec

/// A connection to a reader of some speed, as kernels make it: a send buffer, a receive buffer, and
/// a window that opens only when much of the latter is free.
struct SimulatedPeer {
    /// Bytes that the topic still has for this connection.
    var waiting: Int
    /// Bytes a second that the reader reads.
    var rate: Int
    /// Nothing of the peer is there any more, not even its kernel.
    private var isGone = false
    let sendBufferMax: Int
    let receiveBufferMax: Int

    /// Ten segments, as at the beginning of a connection (RFC 6928).
    private static let inFlightMax = 14_600

    private var sent = 0
    private var lost = 0
    private var unsent = 0
    private var unread = 0
    private var read = 0
    private var acknowledged = 0
    private var isFull = false
    private var isWindowClosed = false
    private var pings: [(end: Int, payload: [UInt8])] = []

    init(waiting: Int, rate: Int, sendBufferMax: Int, receiveBufferMax: Int) {
        self.waiting = waiting
        self.rate = rate
        self.sendBufferMax = sendBufferMax
        self.receiveBufferMax = receiveBufferMax
    }

    var progress: Keepalive.Progress {
        .init(
            sentBytes: UInt64(sent), takenBytes: UInt64(acknowledged),
            isBlocked: waiting > 0 || unsent > 0)
    }

    mutating func vanish() {
        isGone = true
        unread = 0
    }

    /// Sends a ping behind all that waits.
    mutating func ping(_ payload: [UInt8]) {
        waiting += payload.count + 2
        pings.append((sent + waiting, payload))
        fill()
    }

    /// Lets time pass; gives the pongs that came.
    mutating func pass(_ seconds: Double) -> [[UInt8]] {
        fill()
        transmit()
        let taken = min(Int(Double(rate) * seconds), unread)
        unread -= taken
        read += taken
        transmit()
        fill()
        let answered = pings.prefix { $0.end <= read }
        pings.removeFirst(answered.count)
        return answered.map(\.payload)
    }

    /// The socket is writable again when a third of its buffer is free.
    private mutating func fill() {
        if isFull, unsent > sendBufferMax * 2 / 3 { return }
        isFull = false
        let count = min(waiting, sendBufferMax - unsent)
        waiting -= count
        sent += count
        unsent += count
        isFull = waiting > 0
    }

    /// A closed window opens when a sixteenth of the buffer, and a segment of loopback, is free.
    private mutating func transmit() {
        guard !isGone else {
            // So much is sent and never acknowledged; the rest waits for that.
            let count = min(unsent, Self.inFlightMax - lost)
            unsent -= count
            lost += count
            return
        }
        let room = receiveBufferMax - unread
        if isWindowClosed, room < min(max(receiveBufferMax / 16, 64 << 10), receiveBufferMax) {
            return
        }
        let count = min(unsent, room)
        unsent -= count
        unread += count
        acknowledged += count
        isWindowClosed = unread == receiveBufferMax
    }
}
