internal import EventModel
internal import SessionProtocol

/// One block of `text/event-stream` (WHATWG HTML, 9.2 "Server-sent events").
struct ServerSentEvent {
    /// Where a new connection is to begin, in `Last-Event-ID`; `nil`: it stays as it was.
    var id: String?
    /// When the client is to come back after the connection has ended; `nil`: as it was.
    var retry: Duration?
    /// Empty: the client dispatches nothing, but keeps the rest.
    var data: [UInt8] = []

    /// When clients come back to a broker that did not say good-bye.
    private static let retryTime = Duration.seconds(2)

    init(id: String?, data: [UInt8]) {
        self.id = id
        self.data = data
    }

    /// A message of the single-topic stream.
    init(_ message: BrokerMessage) {
        data = message.encode()
        switch message {
        case .gap(let gap): id = "\(gap.cursor)"
        case .reset(let reset): id = reset.cursor.map { "\($0)" }
        case .cursor(let cursors): id = cursors.values.first.map { "\($0)" }
        case .closing(let closing): retry = closing.reconnectAfter
        default: break
        }
    }

    /// What a stream begins with: a client that loses it before the first event comes back to the
    /// same place.
    init(beginningAt start: StartPosition) {
        id = if case .after(let cursor) = start { "\(cursor)" } else { start.text }
        retry = Self.retryTime
    }

    /// The value of `Last-Event-ID`: a cursor, or the start of a stream that has told none yet.
    ///
    /// - Throws: `invalid_start`.
    static func start(_ id: String) throws(BrokerError) -> StartPosition {
        if let cursor = Cursor(id) { return .after(cursor) }
        return try StartPosition(id, field: "Last-Event-ID")
    }

    func encode() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(data.count + 48)
        if let retry { bytes += "retry: \(Int64(retry / .milliseconds(1)))\n".utf8 }
        if let id { bytes += "id: \(id)\n".utf8 }
        if !data.isEmpty {
            // Whatever ends a line between tokens of the data ends one here, or the event would end.
            for line in data.split(
                omittingEmptySubsequences: false, whereSeparator: Self.endsLine)
            {
                bytes += "data: ".utf8
                bytes += line
                bytes.append(UInt8(ascii: "\n"))
            }
        }
        bytes.append(UInt8(ascii: "\n"))
        return bytes
    }

    private static func endsLine(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
    }
}
