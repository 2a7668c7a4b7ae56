internal import EventModel
internal import SessionProtocol

/// Where a subscriber stands in all its topics, so that another subscription, one day and in
/// another process, goes on exactly there.
///
/// Move it behind each item that was processed, and store it together with what was made of the
/// item, as in one transaction of a database: then every event is processed exactly once, whatever
/// breaks in between. Stored before the processing, an event may be lost; stored behind it in
/// another step, one may be processed twice.
///
/// ```swift
/// var position = try stored.map { try SubscriptionPosition(text: $0) } ?? SubscriptionPosition()
/// let orders = try client.subscribe(to: "orders.>", from: "earliest", resuming: position)
/// for try await item in orders {
///     position.received(item)
///     try await database.transaction {
///         if case .event(let event) = item { try await $0.process(event) }
///         try await $0.store(position.text)
///     }
/// }
/// ```
///
/// It grows with the number of topics. It is `Codable`, and has a `text` that is the same as JSON.
public struct SubscriptionPosition: Equatable, Sendable, Codable {
    /// Where topics begin that were never seen, as the broker said it; `nil` before that.
    public var start: String?
    /// The last cursor of each topic.
    public var cursors: [String: String]

    /// Makes a position; without arguments one that has seen nothing.
    public init(start: String? = nil, cursors: [String: String] = [:]) {
        self.start = start
        self.cursors = cursors
    }

    /// Reads what `text` gave.
    ///
    /// - Throws: `invalid_request` for another text. Topics and cursors are checked by `subscribe`.
    public init(text: String) throws(SluiceError) {
        var cursors: [String: String] = [:]
        do throws(BrokerError) {
            var fields = ObjectReader(Array(text.utf8))
            try fields.read(membersMax: 2)
            start = try fields.string("start")
            try fields.entries("cursors") { (name, range) throws(BrokerError) in
                cursors[name] = try fields.string(at: range, field: "cursors")
            }
        } catch {
            throw SluiceError(
                .invalid, code: "invalid_request", "\(quoted(text)) is no position.",
                remedy: "Give the text of a position as it was.")
        }
        self.cursors = cursors
    }

    /// The position as a JSON object in one line, with its topics in order.
    public var text: String {
        var json = JSONWriter(capacity: 64 + cursors.count * 48)
        json.raw(#"{"#)
        if let start {
            json.raw(#""start":"#)
            json.string(start)
            json.raw(",")
        }
        json.raw(#""cursors":{"#)
        for (index, (topic, cursor)) in cursors.sorted(by: { $0.key < $1.key }).enumerated() {
            if index > 0 { json.raw(",") }
            json.string(topic)
            json.raw(":")
            json.string(cursor)
        }
        json.raw("}}")
        return String(decoding: json.bytes, as: UTF8.self)
    }

    /// Moves on behind an item of a subscription.
    ///
    /// - Parameter item: The next one; items of several subscriptions belong to several positions.
    public mutating func received(_ item: SubscriptionItem) {
        switch item {
        case .event(let event): cursors[event.topic] = event.cursor
        case .notice(_, let message): if let message { received(message) }
        }
    }

    /// Moves on behind an item of a subscription whose events are decoded, also behind an event
    /// that could not be.
    ///
    /// - Parameter item: The next one.
    public mutating func received<Value>(_ item: DecodedItem<Value>) {
        switch item {
        case .event(let event): cursors[event.topic] = event.cursor
        case .notice(_, let message): if let message { received(message) }
        }
    }

    /// Moves on behind a message of the broker's.
    ///
    /// - Parameter message: `ReceivedEvent.message`, or that of a notice.
    /// - Returns: Whether it is a message; then the position is behind it. One of a type that this
    ///   version does not know moves nothing.
    @discardableResult
    public mutating func received(_ message: [UInt8]) -> Bool {
        let known: BrokerMessage?
        do { known = try BrokerMessage.decode(message) } catch { return false }
        guard let known else { return true }
        switch known {
        case .subscribed(let message):
            start = message.resumeFrom ?? start
            for topic in message.topics {
                if let cursor = topic.cursor { cursors[topic.topic.text] = cursor.description }
            }
        case .event(let message): cursors[message.topic.text] = message.cursor.description
        case .gap(let message): cursors[message.topic.text] = message.cursor.description
        case .reset(let message): cursors[message.topic.text] = message.cursor?.description
        case .cursor(let positions):
            for (topic, cursor) in positions { cursors[topic.text] = cursor.description }
        case .welcome, .authenticated, .live, .lagging, .published, .unsubscribed, .updated,
            .error, .pong, .heartbeat, .closing:
            break
        }
        return true
    }

    /// - Throws: `invalid_request` for what is no topic or no cursor.
    func checkedCursors() throws(SluiceError) -> [TopicName: Cursor] {
        var checked: [TopicName: Cursor] = [:]
        for (name, text) in cursors {
            guard let cursor = Cursor(text) else {
                throw SluiceError(
                    .invalid, code: "invalid_request", "\(quoted(text)) is no cursor of \(name).",
                    remedy: "Give cursors as the broker said them.")
            }
            do { checked[try TopicName(name)] = cursor } catch { throw SluiceError(error) }
        }
        return checked
    }
}
