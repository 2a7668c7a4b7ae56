import EventModel
import SessionProtocol
import Testing

@Suite("An open session") struct SessionConversationTests {
    private var session = Session(publishesInFlightMax: 2, faultsPerMinuteMax: 3)
    private let publish = #"{"type":"publish","id":1,"topic":"a","data":{"x" : 1},"if_head":"e-3"}"#

    init() { _ = session.begin() }

    @Test mutating func `answers a ping with its id and the time`() {
        #expect(session.says(#"{"type":"ping","id":3}"#) == [.send(.pong(id: 3, time: newYear))])
    }

    @Test mutating func `hands an event to the log and tells its outcome by id`() throws {
        let request = PublishMessage(
            id: 1, topic: try topic("a"), event: NewEvent(data: utf8(#"{"x" : 1}"#)),
            ifHead: try cursor("e-3"))
        #expect(session.says(publish) == [.publish(request)])
        let receipt = AppendReceipt(
            topic: try topic("a"), epoch: try cursor("e-0").epoch, first: 4, last: 4, time: newYear,
            isRepeat: false)
        let actions = session.actions { $0.published(id: 1, receipt, now: $1, into: &$2) }
        #expect(actions == [.send(.published(.init(id: 1, receipt: receipt)))])
        let again = session.actions { $0.published(id: 1, receipt, now: $1, into: &$2) }
        #expect(again == [])
    }

    @Test mutating func `tells why an event was not appended`() {
        _ = session.says(publish)
        let error = BrokerError(.headMoved, "It is 5.")
        let actions = session.actions { $0.publishRefused(id: 1, error, now: $1, into: &$2) }
        #expect(actions == [.send(.error(ErrorMessage(error, id: 1, to: "publish")))])
        #expect(session.says(publish).count == 1)
    }

    @Test mutating func `bounds the publishes whose outcome is open`() {
        _ = session.says(publish)
        #expect(session.isRefused(publish)?.code == "invalid_request")
        _ = session.says(#"{"type":"publish","id":2,"topic":"a","data":1}"#)
        for _ in 0..<10 {
            // Again and again: being told to wait is not a fault that ends the session.
            let error = session.isRefused(#"{"type":"publish","id":3,"topic":"a","data":1}"#)
            #expect(error?.code == "rate_limited")
            #expect(error?.retryAfter != nil)
        }
    }

    @Test mutating func `sends a heartbeat only when nothing else went out`() {
        #expect(session.conversation.deadline == start.instant + .seconds(20))
        #expect(session.ticks(after: .seconds(19)) == [])
        session.conversation.sent(now: session.now.instant)
        #expect(session.ticks(after: .seconds(19)) == [])
        #expect(session.ticks(after: .seconds(1)) == [.send(.heartbeat(time: session.now.time))])
        #expect(session.ticks(after: .seconds(19)) == [])
        _ = session.says(#"{"type":"ping","id":3}"#)
        #expect(session.ticks(after: .seconds(19)) == [])
    }

    @Test mutating func `says that it drains, and nothing more`() {
        let actions = session.actions {
            $0.drain(reconnectAfter: .milliseconds(3200), now: $1, into: &$2)
        }
        #expect(
            actions == [
                .send(.closing(.init(.drain, reconnectAfter: .milliseconds(3200)))),
                .close(.drain, reason: "drain"),
            ])
        #expect(session.says(#"{"type":"ping","id":3}"#) == [])
        #expect(session.ticks(after: .seconds(100)) == [])
        #expect(session.actions { $0.drain(reconnectAfter: .zero, now: $1, into: &$2) } == [])
    }

    @Test mutating func `ends with 1003 at a binary message`() {
        let actions = session.actions { $0.binaryReceived(now: $1, into: &$2) }
        #expect(actions.last == .close(.unsupportedData, reason: "unsupported_data"))
    }

    @Test mutating func `ends with 4502 after too many errors within a minute`() {
        _ = session.isRefused("[]")
        _ = session.isRefused(#"{"type":"dance","id":1}"#)
        let actions = session.says("x")
        #expect(actions.count == 3)
        #expect(
            Array(actions.dropFirst()) == [
                .send(.closing(.init(.tooManyErrors, reconnectAfter: nil))),
                .close(.tooManyErrors, reason: "too_many_errors"),
            ])
    }

    @Test mutating func `forgets errors after a minute`() {
        _ = session.isRefused("[]")
        _ = session.isRefused("[]")
        session.now = session.now.advanced(by: .seconds(60))
        _ = session.isRefused("[]")
        _ = session.isRefused("[]")
        #expect(session.conversation.isOpen)
    }

    @Test mutating func `refuses credit for what is not subscribed`() {
        let error = session.isRefused(#"{"type":"credit","id":1,"events":5}"#)
        #expect(error?.code == "invalid_request")
        #expect(error?.to == "credit")
    }

    @Test mutating func `ignores results that come after its end`() throws {
        _ = session.says(publish)
        _ = session.says(#"{"type":"subscribe","id":1,"topic":"a"}"#)
        session.conversation.connectionClosed()
        let error = BrokerError(.internal, "x")
        let actions = session.actions {
            $0.publishRefused(id: 1, error, now: $1, into: &$2)
            $0.subscribeRefused(id: 1, error, now: $1, into: &$2)
            $0.authenticationFailed(error, now: $1, into: &$2)
            $0.tick(now: $1, into: &$2)
        }
        #expect(actions == [])
    }

    @Test func `is small when idle`() {
        #expect(MemoryLayout<SessionConversation>.size <= 256)
    }
}

@Suite("A stream of one topic") struct StreamConversationTests {
    private var stream: StreamConversation
    private var actions: [StreamConversation.Action] = []

    init() {
        var limits = Limits()
        limits.faultsPerMinuteMax = 2
        stream = StreamConversation(
            terms: SessionTerms(node: "n1", version: "1", limits: limits), expires: nil, now: start)
    }

    @Test mutating func `answers a ping, with or without an id`() {
        stream.messageReceived(utf8(#"{"type":"ping"}"#), now: start, into: &actions)
        stream.messageReceived(utf8(#"{"type":"ping","id":2}"#), now: start, into: &actions)
        #expect(
            actions == [.send(.pong(id: nil, time: newYear)), .send(.pong(id: 2, time: newYear))])
    }

    @Test(arguments: [
        (#"{"type":"credit","events":5}"#, "credit"),
        (#"{"type":"unsubscribe","id":1}"#, "unsubscribe"),
        (#"{"type":"subscribe","id":1,"topic":"a"}"#, "subscribe"),
        (#"{"type":"auth","token":"t"}"#, "auth"),
    ])
    mutating func `refuses the messages of a session`(json: String, type: String) {
        stream.messageReceived(utf8(json), now: start, into: &actions)
        guard case .send(.error(let error)) = actions.first, actions.count == 1 else {
            Issue.record("\(actions)")
            return
        }
        #expect(error.code == "invalid_request")
        #expect(error.to == type)
    }

    @Test mutating func `ends after too many errors`() {
        stream.messageReceived(utf8("x"), now: start, into: &actions)
        stream.messageReceived(utf8("x"), now: start, into: &actions)
        stream.messageReceived(utf8("x"), now: start, into: &actions)
        #expect(actions.count == 4)
        #expect(actions.last == .close(.tooManyErrors, reason: "too_many_errors"))
        #expect(stream.deadline == nil)
    }

    @Test mutating func `has heartbeats and drains like a session`() {
        stream.tick(now: start.advanced(by: .seconds(19)), into: &actions)
        #expect(actions == [])
        let later = start.advanced(by: .seconds(20))
        stream.tick(now: later, into: &actions)
        stream.drain(reconnectAfter: .seconds(1), now: later, into: &actions)
        stream.binaryReceived(now: later, into: &actions)
        #expect(
            actions == [
                .send(.heartbeat(time: later.time)),
                .send(.closing(.init(.drain, reconnectAfter: .seconds(1)))),
                .close(.drain, reason: "drain"),
            ])
    }

    @Test func `begins where its query says`() throws {
        let patterns = [try TopicPattern("a")]
        #expect(
            try StreamQuery(of: try topic("a"), items: [], terms: terms())
                == StreamQuery(patterns: patterns))
        #expect(
            try StreamQuery(
                of: try topic("a"), items: [("from", "offset:3"), ("overflow", "replay")],
                terms: terms())
                == StreamQuery(
                    patterns: patterns, from: .offset(3),
                    options: SubscriptionOptions(overflow: .replay)))
        let bare = try StreamQuery(
            of: try topic("a"), items: [("view", "data")], terms: terms())
        #expect(bare.view == .data)
    }

    @Test(
        arguments: [
            ([("from", "x")], ErrorCode.invalidStart, "from"),
            ([("from", "latest"), ("from", "latest")], .unknownField, "from"),
            ([("overflow", "x")], .invalidRequest, "overflow"),
            ([("filter", "x")], .invalidFilter, "filter"),
            ([("view", "all")], .invalidRequest, "view"),
            ([("topic", "a")], .unknownField, "topic"),
            ([("access_token", "slc_secret")], .unknownField, "access_token"),
        ] as [([(String, String)], ErrorCode, String)])
    func `refuses queries by their item's name`(
        items: [(String, String)], code: ErrorCode, field: String
    ) {
        let error = #expect(throws: BrokerError.self) {
            try StreamQuery(
                of: try topic("a"), items: items.map { (name: $0.0, value: $0.1) }, terms: terms())
        }
        #expect(error?.code == code)
        #expect(error?.at?.field == field)
        #expect(error.map { !"\($0)".contains("slc_secret") } == true)
    }
}
