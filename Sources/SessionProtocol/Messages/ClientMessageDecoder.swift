package import EventModel

extension ClientMessage {
    /// Reads a message of a client; unknown and duplicate fields are refused by name
    /// (doc:CommonRules).
    ///
    /// - Parameters:
    ///   - bytes: The text.
    ///   - range: Where the message is in it; `nil`: it is all of it.
    ///   - limits: What it may be at most.
    ///   - needsID: False on the single-topic stream, where nothing needs an `id`.
    /// - Returns: The message.
    /// - Throws: Why it is none, with what its answer can name.
    package static func decode(
        _ bytes: [UInt8], in range: Range<Int>? = nil, limits: Limits, needsID: Bool = true
    ) throws(ClientMessageRefusal) -> ClientMessage {
        var decoder = ClientMessageDecoder(
            fields: ObjectReader(bytes), limits: limits, needsID: needsID)
        do {
            return try decoder.decode(in: range)
        } catch {
            throw ClientMessageRefusal(error, id: decoder.readableID, to: decoder.kind?.rawValue)
        }
    }
}

private struct ClientMessageDecoder {
    var fields: ObjectReader
    let limits: Limits
    let needsID: Bool
    var kind: ClientMessage.Kind?

    /// The id, if that much could be read.
    var readableID: Int64? { try? id() }

    mutating func decode(in range: Range<Int>?) throws(BrokerError) -> ClientMessage {
        do {
            try fields.read(in: range, membersMax: 16)
        } catch {
            kind = readableKind
            throw error
        }
        kind = readableKind
        guard let kind else {
            let type = try fields.required(try fields.string("type"), "type")
            throw fields.wrong("type", "is \(quoted(type)), which is no message of a client")
        }
        try fields.refuseFields(except: kind.description.object.names)
        switch kind {
        case .auth:
            return .auth(
                token: try fields.required(try fields.string("token"), "token"), id: try id())
        case .subscribe: return .subscribe(try subscribe())
        case .cursors:
            _ = try fields.required(fields.value("cursors"), "cursors")
            return .cursors(id: try requiredID(), try cursors())
        case .unsubscribe: return .unsubscribe(id: try requiredID())
        case .credit:
            let events = try fields.integer("events", in: 1...Limits.integerMax)
            return .credit(
                id: try streamsID(), events: try fields.required(events, "events"))
        case .update: return .update(id: try requiredID(), try changes())
        case .publish: return .publish(try publish())
        case .ping: return .ping(id: try streamsID())
        }
    }

    private var readableKind: ClientMessage.Kind? {
        guard let text = try? fields.string("type") else { return nil }
        return ClientMessage.Kind(rawValue: text)
    }

    private func id() throws(BrokerError) -> Int64? {
        try fields.integer("id", in: -Limits.integerMax...Limits.integerMax)
    }

    private func requiredID() throws(BrokerError) -> Int64 { try fields.required(try id(), "id") }

    /// Required but on the single-topic stream, where there is one subscription.
    private func streamsID() throws(BrokerError) -> Int64? {
        needsID ? try requiredID() : try id()
    }

    private func subscribe() throws(BrokerError) -> SubscribeRequest {
        var request = SubscribeRequest(id: try requiredID(), patterns: try patterns())
        if let range = fields.value("from") {
            let text = try fields.string(at: range, field: "from")
            do { request.from = try StartPosition(text) } catch {
                throw fields.placed(error, at: range, field: "from")
            }
        }
        request.cursors = try cursors()
        if let text = try fields.string("overflow") {
            guard let policy = OverflowPolicy(rawValue: text) else {
                throw fields.wrong(
                    "overflow", "must be replay, conflate, drop_oldest or disconnect")
            }
            request.options.overflow = policy
        }
        request.options.maxRate = try maxRate()
        request.options.credit = try fields.integer("credit", in: 0...Limits.integerMax)
        request.filter = try fields.string("filter")
        return request
    }

    private func maxRate() throws(BrokerError) -> Int? {
        try fields.integer("max_rate", in: 1...Limits.integerMax).map { Int($0) }
    }

    /// What an update names; `null` takes a bound or a filter away.
    private func changes() throws(BrokerError) -> SubscriptionChanges {
        var changes = SubscriptionChanges()
        if fields.value("max_rate") != nil {
            changes.maxRate = .some(fields.isNull("max_rate") ? nil : try maxRate())
        }
        if fields.value("filter") != nil {
            changes.filter = .some(fields.isNull("filter") ? nil : try fields.string("filter"))
        }
        guard changes != SubscriptionChanges() else {
            throw BrokerError(
                .invalidRequest, "The update names nothing to change.",
                remedy: "Name 'max_rate' or 'filter'.", at: InputPlace(field: "max_rate"))
        }
        return changes
    }

    private func patterns() throws(BrokerError) -> [TopicPattern] {
        let ranges: [Range<Int>]
        let field: String
        switch (fields.value("topic"), try fields.elements("topics")) {
        case (.some(let range), nil): (ranges, field) = ([range], "topic")
        case (nil, .some(let elements)): (ranges, field) = (elements, "topics")
        case (.some, .some): throw fields.wrong("topics", "and 'topic' exclude each other")
        case (nil, nil): throw try missingTopic()
        }
        guard (1...limits.topicsPerSubscribeMax).contains(ranges.count) else {
            throw fields.wrong(
                field,
                "has \(ranges.count) entries; it may have 1 to \(limits.topicsPerSubscribeMax)")
        }
        var patterns: [TopicPattern] = []
        var seen: Set<String> = []
        for range in ranges {
            let text = try fields.string(at: range, field: field)
            guard seen.insert(text).inserted else { continue }
            do { patterns.append(try TopicPattern(text)) } catch {
                throw fields.placed(error, at: range, field: field)
            }
        }
        return patterns
    }

    private func missingTopic() throws(BrokerError) -> BrokerError {
        BrokerError(
            .invalidRequest, "'topic' or 'topics' is missing.", at: InputPlace(field: "topic"))
    }

    private func cursors() throws(BrokerError) -> [TopicName: Cursor] {
        var cursors: [TopicName: Cursor] = [:]
        try fields.entries("cursors") { (name, range) throws(BrokerError) in
            let topic: TopicName
            do throws(BrokerError) { topic = try TopicName(name) } catch {
                throw fields.placed(error, at: range, field: "cursors")
            }
            let text = try fields.string(at: range, field: "cursors")
            guard let cursor = Cursor(text) else {
                throw fields.wrong(
                    "cursors", "has \(quoted(text)) for \(topic), which is no cursor", at: range)
            }
            guard cursors.updateValue(cursor, forKey: topic) == nil else {
                throw BrokerError(
                    .unknownField, "'cursors' has \(topic) twice.", remedy: "Send each topic once.",
                    at: InputPlace(byte: range.lowerBound, field: topic.text))
            }
            guard cursors.count <= limits.topicsPerSubscribeMax else {
                throw fields.wrong("cursors", "has over \(limits.topicsPerSubscribeMax) entries")
            }
        }
        return cursors
    }

    private func publish() throws(BrokerError) -> PublishMessage {
        let id = try requiredID()
        let topic = try fields.topic()
        var message = PublishMessage(id: id, topic: topic, event: try fields.event(limits))
        if let range = fields.value("if_head") {
            let text = try fields.string(at: range, field: "if_head")
            guard let cursor = Cursor(text) else {
                throw fields.wrong("if_head", "is \(quoted(text)), which is no cursor", at: range)
            }
            message.ifHead = cursor
        }
        return message
    }
}
