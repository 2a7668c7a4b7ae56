internal import EventModel
internal import FanOut

/// A session's connection, and the client behind it that reads what came.
final class TestClient: SubscriberOutput {
    private(set) lazy var subscriber = Subscriber(
        output: self, shard: shard, limits: limits, encoding: encoding, ownBytes: ownBytes)
    /// How many bytes the socket still takes.
    var bytesTaken = Int.max
    private(set) var flushes = 0
    /// A message has gone out behind which nothing may.
    private(set) var hasEnded = false
    private let shard: FanOutShard
    private let encoding: Encoding
    private let ownBytes: ((SharedEvent, Subscription) -> [UInt8])?
    private let limits: Limits
    private var reader = LineReader()
    private var lines: [String] = []

    init(
        on loop: TestLoop, encoding: Encoding = TestFrame.encoding,
        ownBytes: ((SharedEvent, Subscription) -> [UInt8])? = nil
    ) {
        self.encoding = encoding
        self.ownBytes = ownBytes
        shard = loop.shard
        limits = loop.limits
    }

    /// Moves bytes as a connection does: what waits first, and then what can be fetched.
    func flush() {
        flushes += 1
        while bytesTaken > 0, !hasEnded {
            let count = withUnsafeTemporaryAllocation(
                byteCount: min(bytesTaken, 200), alignment: 1
            ) { record in
                let count = subscriber.backlog.fill(record)
                reader.read(UnsafeRawBufferPointer(rebasing: record[..<count]), into: &lines)
                return count
            }
            bytesTaken -= count
            hasEnded = subscriber.backlog.takeEnd()
            if count == 0 {
                subscriber.refill()
                if subscriber.backlog.isEmpty { return }
            }
        }
    }

    /// The socket takes nothing from now on.
    func block() { bytesTaken = 0 }

    /// The socket takes `bytes` more, and then nothing.
    func unblock(bytes: Int = .max) {
        bytesTaken = bytes
        flush()
    }

    /// What was received since the last time.
    func received() -> [String] {
        defer { lines = [] }
        return lines
    }
}
