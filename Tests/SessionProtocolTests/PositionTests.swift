import DeliveryContract
import EventModel
import SessionProtocol
import Testing

private func event(_ name: String, _ position: String) throws -> BrokerMessage {
    let cursor = try cursor(position)
    let event = Event(offset: cursor.offset, time: newYear, content: NewEvent(data: utf8("1")))
    return .event(EventMessage(topic: try topic(name), epoch: cursor.epoch, event: event))
}

private func gap(_ name: String, _ from: Offset, _ to: String) throws -> BrokerMessage {
    let cursor = try cursor(to)
    return .gap(
        .init(
            topic: try topic(name), epoch: cursor.epoch, from: from, to: cursor.offset,
            reason: .retention))
}

@Suite("A subscriber's position") struct SubscriberPositionTests {
    private func position(_ from: StartPosition, _ pattern: String = "a.>") throws
        -> SubscriberPosition
    {
        let request = SubscribeRequest(id: 1, patterns: [try TopicPattern(pattern)], from: from)
        return SubscriberPosition(request, began: newYear)
    }

    @Test func `is the last cursor of each topic that it saw`() throws {
        var position = try position(.latest)
        position.received(
            .subscribed(
                .init(
                    id: 1,
                    topics: [
                        .init(
                            topic: try topic("a.s"), cursor: try cursor("e-7"), earliest: 1,
                            latest: 7),
                        .init(topic: try topic("a.n"), cursor: nil, earliest: 1, latest: 0),
                    ])))
        position.received(try event("a.b", "e-1"))
        position.received(try event("a.b", "e-2"))
        position.received(try gap("a.g", 3, "e-9"))
        position.received(
            .reset(.init(topic: try topic("a.r"), cursor: try cursor("f-4"), reason: .restored)))
        position.received(.cursor([try topic("a.c"): try cursor("e-5")]))
        position.received(try event("other", "e-1"))
        position.received(.live(id: 1))
        #expect(
            position.resumption.cursors == [
                try topic("a.s"): try cursor("e-7"), try topic("a.b"): try cursor("e-2"),
                try topic("a.g"): try cursor("e-9"), try topic("a.r"): try cursor("f-4"),
                try topic("a.c"): try cursor("e-5"),
            ])
        position.received(.reset(.init(topic: try topic("a.r"), cursor: nil, reason: .deleted)))
        #expect(position.resumption.cursors[try topic("a.r")] == nil)
        #expect(position.resumption.id == 1)
        #expect(position.resumption.patterns == [try TopicPattern("a.>")])
    }

    @Test func `goes behind what a filter left out, also of topics never seen, and never back`()
        throws
    {
        let (seen, new) = (try topic("a.s"), try topic("a.n"))
        var position = try position(.latest)
        position.received(try event("a.s", "e-7"))
        position.received(
            .cursor([
                seen: try cursor("e-9000"), new: try cursor("e-3"),
                try topic("other"): try cursor("e-1"),
            ]))
        let known = [seen: try cursor("e-9000"), new: try cursor("e-3")]
        #expect(position.resumption.cursors == known)
        position.received(.cursor([seen: try cursor("e-8999"), new: try cursor("e-3")]))
        #expect(position.resumption.cursors == known)
        position.received(.cursor([seen: try cursor("f-9")]))
        #expect(position.cursors[seen] == (try cursor("f-9")))
    }

    @Test func `resumes with the filter`() throws {
        let request = SubscribeRequest(
            id: 1, patterns: [try TopicPattern("a")], filter: "$.a == 1")
        var position = SubscriberPosition(request, began: newYear)
        position.received(.cursor([try topic("a"): try cursor("e-5")]))
        #expect(position.resumption.filter == "$.a == 1")
        #expect(position.resumption.cursors == [try topic("a"): try cursor("e-5")])
    }

    @Test(arguments: [
        ("latest", "time:2025-12-31T23:59:00.000000Z"),
        ("last:10", "time:2025-12-31T23:59:00.000000Z"),
        ("ago:1h", "time:2025-12-31T23:00:00.000000Z"),
        ("ago:1s", "time:2025-12-31T23:59:00.000000Z"),
        ("earliest", "earliest"),
        ("time:2020-01-01T00:00:00.000000Z", "time:2020-01-01T00:00:00.000000Z"),
    ])
    func `begins topics that it never saw where none of their events is missing`(
        from: String, resumed: String
    ) throws {
        let position = try position(try StartPosition(from))
        #expect(position.resumption.from.text == resumed)
    }

    @Test func `begins them where the broker says, if it does`() throws {
        var position = try position(.latest)
        position.received(.subscribed(.init(id: 1, topics: [], resumeFrom: "ago:5m")))
        #expect(position.resumption.from == .ago(.seconds(300)))
        position.received(.subscribed(.init(id: 1, topics: [], resumeFrom: "mark:unknown")))
        #expect(position.resumption.from == .ago(.seconds(300)))
        let mark = "mark:last-3.memory0001.1"
        position.received(.subscribed(.init(id: 1, topics: [], resumeFrom: mark)))
        #expect(position.resumption.from.text == mark)
        position.received(.subscribed(.init(id: 1, topics: [])))
        #expect(position.resumption.from.text == mark)
    }

    @Test func `makes a request that the broker takes`() throws {
        var position = try position(.offset(3), "a.b")
        position.received(try event("a.b", "e-3"))
        var session = Session()
        _ = session.begin()
        let message = ClientMessage.subscribe(position.resumption)
        #expect(session.says(text(message.encode())) == [.subscribe(position.resumption)])
    }
}

@Suite("A position in more topics than one message holds") struct LargePositionTests {
    /// As many topics as a node with 10,000 cursors a message does not take at once.
    private func position(topics count: Int, nameBytes: Int) throws -> SubscriberPosition {
        let tail = String(repeating: "x", count: nameBytes - 8)
        let request = SubscribeRequest(id: 7, patterns: [try TopicPattern(">")])
        var position = SubscriberPosition(request, began: newYear)
        for number in 0..<count {
            let name = "\(10_000_000 + number)\(tail)"
            position.received(try event(name, "e-\(number + 1)"))
        }
        return position
    }

    private func welcome(_ limits: Limits) -> BrokerMessage.Welcome {
        .init(
            session: "s", node: "n", version: "1", time: newYear, expires: nil, limits: limits)
    }

    @Test(arguments: [(25_000, 20), (12_000, 199)])
    func `resumes in several messages that the broker takes`(
        count: Int, nameBytes: Int
    ) throws {
        let limits = Limits()
        let position = try position(topics: count, nameBytes: nameBytes)
        let messages = position.resumption(in: welcome(limits)).map { $0.encode() }
        #expect(messages.count > 2)
        #expect(messages.allSatisfy { $0.count <= limits.messageBytesMax })
        var session = Session(limits: limits)
        _ = session.begin()
        for message in messages.dropLast() { #expect(session.says(text(message)) == []) }
        let last = session.says(text(messages[messages.count - 1]))
        #expect(last == [.subscribe(position.resumption)])
    }

    @Test func `says all in one when that holds it`() throws {
        let position = try position(topics: 10_000, nameBytes: 20)
        let messages = position.resumption(in: welcome(Limits()))
        #expect(messages == [.subscribe(position.resumption)])
    }

    @Test func `ends however little a broker wants to hear`() throws {
        var limits = Limits()
        limits.topicsPerSubscribeMax = 0
        limits.messageBytesMax = 0
        let position = try position(topics: 3, nameBytes: 20)
        #expect(position.resumption(in: welcome(limits)).count == 4)
    }
}

@Suite("A check of the delivery") struct DeliveryCheckTests {
    private var check = DeliveryCheck()

    private mutating func take(_ messages: [BrokerMessage]) -> [String] {
        var violations: [String] = []
        for message in messages {
            do throws(DeliveryCheck.Violation) { try check.received(message) } catch {
                violations.append(error.description)
            }
        }
        return violations
    }

    @Test mutating func `accepts every offset once, gaps, and resets`() throws {
        let subscribed = BrokerMessage.subscribed(
            .init(
                id: 1,
                topics: [
                    .init(topic: try topic("a"), cursor: try cursor("e-2"), earliest: 1, latest: 9)
                ]))
        let reset = BrokerMessage.reset(
            .init(topic: try topic("a"), cursor: try cursor("f-3"), reason: .restored))
        let messages = [
            subscribed, try event("a", "e-3"), try event("b", "e-100"), try event("a", "e-4"),
            try gap("a", 5, "e-8"), try event("a", "e-9"), try event("b", "e-101"),
            .cursor([try topic("a"): try cursor("e-12")]), try event("a", "e-13"), reset,
            try event("a", "f-4"), .heartbeat(time: newYear),
        ]
        #expect(take(messages) == [])
        #expect(check.eventCount == 7)
    }

    @Test mutating func `finds a hole, a repetition and a wrong epoch`() throws {
        let messages = [
            try event("a", "e-1"), try event("a", "e-3"), try event("a", "e-3"),
            try event("a", "e-4"),
            try event("a", "f-5"), try gap("a", 8, "f-9"), try gap("a", 9, "f-9"),
            .cursor([try topic("a"): try cursor("f-1")]),
        ]
        #expect(
            take(messages) == [
                "a: event 3 after 1, with a hole before it",
                "a: event 3 after 3, again or out of order",
                "a: event of f-5 after e-4, without reset",
                "a: gap 8 after 5, with a hole before it",
                "a: gap 9 after 9, again or out of order",
                "a: cursor f-1 after f-9",
            ])
    }
}
