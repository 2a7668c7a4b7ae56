package import EventModel

extension BrokerMessage {
    /// Reads a message of the broker; unknown fields are ignored (doc:CommonRules).
    ///
    /// - Returns: `nil` for a type that this program does not know, which is to be ignored as well.
    /// - Throws: `invalid_json`, `invalid_utf8` or `invalid_request`: that was no broker of this
    ///   protocol.
    package static func decode(_ bytes: [UInt8]) throws(BrokerError) -> BrokerMessage? {
        var fields = ObjectReader(bytes)
        try fields.read(membersMax: 1000, isStrict: false)
        return try BrokerMessageDecoder(fields: fields).decode()
    }
}

private struct BrokerMessageDecoder {
    let fields: ObjectReader

    func decode() throws(BrokerError) -> BrokerMessage? {
        switch try text("type") {
        case "event": return .event(try event())
        case "welcome": return .welcome(try welcome())
        case "authenticated": return .authenticated(expires: try expires(), id: try id())
        case "subscribed": return .subscribed(try subscribed())
        case "live": return .live(id: try id())
        case "lagging": return .lagging(id: try id(), behind: try number("behind"))
        case "gap":
            return .gap(
                BrokerMessage.Gap(
                    topic: try topic(), from: try number("from"), to: try number("to"),
                    cursor: try cursor("cursor"), reason: try text("reason")))
        case "reset":
            return .reset(
                BrokerMessage.Reset(
                    topic: try topic(), cursor: try cursorOrNull(fields), reason: try text("reason")
                ))
        case "cursor": return .cursor(try cursors())
        case "published": return .published(try published())
        case "unsubscribed": return .unsubscribed(id: try requiredID(), notice: try notice())
        case "updated": return .updated(id: try requiredID())
        case "error": return .error(try error())
        case "pong": return .pong(id: try id(), time: try time("time"))
        case "heartbeat": return .heartbeat(time: try time("time"))
        case "closing": return .closing(try closing())
        default: return nil
        }
    }

    private func event() throws(BrokerError) -> EventMessage {
        let cursor = try cursor("cursor")
        let content = NewEvent(
            data: try fields.required(fields.text("data"), "data"), key: try fields.string("key"),
            eventID: try fields.string("event_id"), attributes: fields.text("attributes"))
        guard try number("offset") == cursor.offset else {
            throw fields.wrong("offset", "is not the cursor's")
        }
        return EventMessage(
            topic: try topic(), epoch: cursor.epoch,
            event: Event(offset: cursor.offset, time: try time("time"), content: content))
    }

    private func welcome() throws(BrokerError) -> BrokerMessage.Welcome {
        guard try text("protocol") == "sluice.v1" else {
            throw fields.wrong("protocol", "must be sluice.v1")
        }
        var limits = Limits()
        limits.heartbeatInterval = .milliseconds(try number("heartbeat_ms"))
        var message = BrokerMessage.Welcome(
            session: try text("session"), node: try text("node"), version: try text("version"),
            time: try time("time"), expires: try expires(), limits: limits)
        let inner = try fields.required(try fields.object("limits"), "limits")
        func limit(_ name: String) throws(BrokerError) -> Int? {
            try inner.integer(name, in: 0...Limits.integerMax).map { Int($0) }
        }
        message.messageBytes = try limit("message_bytes") ?? message.messageBytes
        message.eventBytes = try limit("event_bytes") ?? message.eventBytes
        message.subscriptions = try limit("subscriptions") ?? message.subscriptions
        message.topicsPerSubscribe =
            try limit("topics_per_subscribe") ?? message.topicsPerSubscribe
        message.filterBytes = try limit("filter_bytes") ?? message.filterBytes
        return message
    }

    private func subscribed() throws(BrokerError) -> BrokerMessage.Subscribed {
        var message = BrokerMessage.Subscribed(
            id: try requiredID(), topics: [], resumeFrom: try fields.string("resume_from"))
        try fields.entries("topics") { (name, range) throws(BrokerError) in
            let inner = try fields.object(at: range, field: "topics")
            let bounds = 0...Limits.integerMax
            message.topics.append(
                .init(
                    topic: try TopicName(name), cursor: try cursorOrNull(inner),
                    earliest: try inner.required(
                        try inner.integer("earliest", in: bounds), "earliest"),
                    latest: try inner.required(try inner.integer("latest", in: bounds), "latest")))
        }
        if let elements = try fields.elements("granted") {
            var granted: [TopicPattern] = []
            for range in elements {
                granted.append(try TopicPattern(try fields.string(at: range, field: "granted")))
            }
            message.granted = granted
        }
        return message
    }

    private func published() throws(BrokerError) -> BrokerMessage.Published {
        BrokerMessage.Published(
            id: try requiredID(), topic: try topic(), cursor: try cursor("cursor"),
            time: try time("time"), isRepeat: try fields.boolean("repeated") ?? false)
    }

    private func notice() throws(BrokerError) -> BrokerMessage.Notice? {
        guard let code = try fields.string("code") else { return nil }
        return BrokerMessage.Notice(
            code: code, message: try fields.string("message") ?? "",
            remedy: try fields.string("remedy") ?? "")
    }

    private func error() throws(BrokerError) -> ErrorMessage {
        var place: InputPlace?
        if let inner = try fields.object("at") {
            place = InputPlace(
                byte: try inner.integer("byte", in: 0...Limits.integerMax).map { Int($0) },
                line: try inner.integer("line", in: 0...Limits.integerMax).map { Int($0) },
                field: try inner.string("field"))
        }
        return ErrorMessage(
            id: try id(), to: try fields.string("to"), code: try text("code"),
            message: try text("message"), remedy: try fields.string("remedy") ?? "",
            retryAfter: try milliseconds("retry_after_ms"), at: place,
            cursor: try fields.string("cursor").flatMap { Cursor($0) })
    }

    private func closing() throws(BrokerError) -> BrokerMessage.Closing {
        let code = try fields.required(try fields.integer("code", in: 1000...4999), "code")
        return BrokerMessage.Closing(
            code: UInt16(code), reason: try text("reason"),
            reconnectAfter: fields.isNull("reconnect_after_ms")
                ? nil : try milliseconds("reconnect_after_ms"))
    }

    private func cursors() throws(BrokerError) -> [TopicName: Cursor] {
        var cursors: [TopicName: Cursor] = [:]
        try fields.entries("cursors") { (name, range) throws(BrokerError) in
            let text = try fields.string(at: range, field: "cursors")
            guard let cursor = Cursor(text) else { throw fields.wrong("cursors", "has no cursor") }
            cursors[try TopicName(name)] = cursor
        }
        return cursors
    }

    // Members by type.

    private func text(_ name: String) throws(BrokerError) -> String {
        try fields.required(try fields.string(name), name)
    }

    private func number(_ name: String) throws(BrokerError) -> Int64 {
        try fields.required(try fields.integer(name, in: 0...Limits.integerMax), name)
    }

    private func id() throws(BrokerError) -> Int64? {
        try fields.integer("id", in: -Limits.integerMax...Limits.integerMax)
    }

    private func requiredID() throws(BrokerError) -> Int64 { try fields.required(try id(), "id") }

    private func topic() throws(BrokerError) -> TopicName { try TopicName(try text("topic")) }

    private func cursor(_ name: String) throws(BrokerError) -> Cursor {
        guard let cursor = Cursor(try text(name)) else { throw fields.wrong(name, "is no cursor") }
        return cursor
    }

    private func cursorOrNull(_ fields: ObjectReader) throws(BrokerError) -> Cursor? {
        if fields.isNull("cursor") { return nil }
        guard let text = try fields.string("cursor"), let cursor = Cursor(text) else {
            throw fields.wrong("cursor", "is no cursor")
        }
        return cursor
    }

    private func time(_ name: String) throws(BrokerError) -> Timestamp {
        guard let time = Timestamp(rfc3339: try text(name)) else {
            throw fields.wrong(name, "is no RFC 3339 time")
        }
        return time
    }

    private func expires() throws(BrokerError) -> Timestamp? {
        fields.isNull("expires") ? nil : try time("expires")
    }

    private func milliseconds(_ name: String) throws(BrokerError) -> Duration? {
        try fields.integer(name, in: 0...Limits.integerMax).map { .milliseconds($0) }
    }
}
