internal import EventModel
internal import SessionProtocol

/// One block of `text/event-stream` (WHATWG HTML, 9.2 "Server-sent events").
struct ServerSentEvent {
    /// Where a new connection is to begin, in `Last-Event-ID`; `nil`: it stays as it was.
    var id: String?
    /// When the client is to come back after the connection has ended; `nil`: as it was.
    var retry: Duration?
    /// For which handler it is; `nil`: for `onmessage`.
    var name: String?
    /// Empty: the client dispatches nothing, but keeps the rest.
    var data: [UInt8] = []

    /// When clients come back to a broker that did not say good-bye.
    private static let retryTime = Duration.seconds(2)
    /// Where a topic begins that is not there; its cursor says nothing any more.
    private static let newTopic = StartPosition.offset(1).text

    init(id: String? = nil, data: [UInt8] = []) {
        self.id = id
        self.data = data
    }

    /// A message of the single-topic stream, with the cursor that it moves the client to as id.
    init(_ message: BrokerMessage) {
        data = message.encode()
        switch message {
        case .gap(let gap): id = "\(gap.cursor)"
        case .reset(let reset): id = reset.cursor.map { "\($0)" } ?? Self.newTopic
        case .cursor(let cursors): id = cursors.values.first.map { "\($0)" }
        case .closing(let closing): retry = closing.reconnectAfter
        default: break
        }
    }

    /// The same on a stream of bare data: what is no event is nothing for `onmessage`.
    ///
    /// That something is missing has a name of its own, and where the client stands and when it is
    /// to come back are told without data. `nil`: nothing is told.
    init?(besideData message: BrokerMessage) {
        self.init(message)
        switch message {
        case .gap(let gap) where gap.reason != GapReason.conflated.rawValue: name = "gap"
        case .reset: name = "reset"
        case .gap, .cursor: data = []
        case .closing where retry != nil: data = []
        default: return nil
        }
    }

    /// What a stream begins with: a client that loses it before the first event comes back to the
    /// same place.
    ///
    /// `isOfTopics`: The position itself is the id; otherwise it is one topic's, which has a cursor
    /// or begins at 1.
    init(beginningAt position: StreamPosition, isOfTopics: Bool) {
        id =
            isOfTopics
            ? position.text : position.cursors.values.first.map { "\($0)" } ?? Self.newTopic
        retry = Self.retryTime
    }

    /// The value of `Last-Event-ID` of one topic: a cursor, or the start of a stream that has told
    /// none yet.
    ///
    /// - Throws: `invalid_start`.
    static func start(_ id: String) throws(BrokerError) -> StartPosition {
        if let cursor = Cursor(id) { return .after(cursor) }
        return try StartPosition(id, field: "Last-Event-ID")
    }

    /// The line that goes before a block without an id.
    static func idLine(_ position: StreamPosition) -> [UInt8] {
        "id: ".utf8 + position.bytes + "\n".utf8
    }

    /// A comment: something to read for whoever waits for something.
    static let comment = Array(":\n\n".utf8)

    func encode() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(data.count + 48)
        if let retry { bytes += "retry: \(Int64(retry / .milliseconds(1)))\n".utf8 }
        if let id { bytes += "id: \(id)\n".utf8 }
        if let name { bytes += "event: \(name)\n".utf8 }
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
