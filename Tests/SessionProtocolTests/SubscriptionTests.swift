import EventModel
import SessionProtocol
import Testing

@Suite("A session's subscriptions") struct SubscriptionTests {
    private var session = Session()

    init() { _ = session.begin() }

    @Test mutating func `stand once the broker says so`() throws {
        let request = SubscribeRequest(
            id: 1, patterns: [try TopicPattern("orders.>")], from: .last(2),
            cursors: [try topic("orders.eu"): try cursor("e-1")])
        let json =
            #"{"type":"subscribe","id":1,"topic":"orders.>","from":"last:2","cursors":{"orders.eu":"e-1"}}"#
        #expect(session.says(json) == [.subscribe(request)])
        let message = BrokerMessage.Subscribed(id: 1, topics: [])
        let actions = session.actions { $0.subscribed(message, now: $1, into: &$2) }
        #expect(actions == [.send(.subscribed(message))])
        #expect(
            session.says(#"{"type":"unsubscribe","id":1}"#)
                == [.unsubscribe(id: 1), .send(.unsubscribed(id: 1))])
        #expect(session.isRefused(#"{"type":"unsubscribe","id":1}"#)?.code == "invalid_request")
    }

    @Test mutating func `are refused with the broker's error, and leave nothing behind`() throws {
        let error = BrokerError(.forbidden, "Not yours.")
        let json = #"{"type":"subscribe","id":1,"topic":"a"}"#
        let ask = session.says(json)
        let actions = session.actions { $0.subscribeRefused(id: 1, error, now: $1, into: &$2) }
        #expect(actions == [.send(.error(ErrorMessage(error, id: 1, to: "subscribe")))])
        #expect(session.says(json) == ask)
    }

    @Test mutating func `may be given up before the broker has answered`() {
        _ = session.says(#"{"type":"subscribe","id":1,"topic":"a"}"#)
        #expect(session.says(#"{"type":"unsubscribe","id":1}"#) == [])
        #expect(
            session.isRefused(#"{"type":"subscribe","id":1,"topic":"b"}"#)?.code
                == "invalid_request")
        let message = BrokerMessage.Subscribed(id: 1, topics: [])
        let actions = session.actions { $0.subscribed(message, now: $1, into: &$2) }
        #expect(
            actions == [
                .send(.subscribed(message)), .unsubscribe(id: 1), .send(.unsubscribed(id: 1)),
            ])
    }

    @Test mutating func `that are given up and then refused are answered twice`() {
        let error = BrokerError(.databaseUnavailable, "Away.")
        _ = session.says(#"{"type":"subscribe","id":1,"topic":"a"}"#)
        _ = session.says(#"{"type":"unsubscribe","id":1}"#)
        let actions = session.actions { $0.subscribeRefused(id: 1, error, now: $1, into: &$2) }
        #expect(
            actions == [
                .send(.error(ErrorMessage(error, id: 1, to: "subscribe"))),
                .send(.unsubscribed(id: 1)),
            ])
    }

    @Test mutating func `have ids of their own`() {
        session.stands(#"{"type":"subscribe","id":1,"topic":"a"}"#, id: 1)
        let error = session.isRefused(#"{"type":"subscribe","id":1,"topic":"b"}"#)
        #expect(error?.code == "invalid_request")
        #expect(error?.at?.field == "id")
    }

    @Test(arguments: [
        ("a.*", "*.b"), ("a.b", "a.b"), ("a.b", "a.>"), ("a.>", "a.b"), ("a.>", "a.*"), (">", "x"),
    ])
    mutating func `cover a topic once, and the first one is named`(first: String, second: String) {
        session.stands(#"{"type":"subscribe","id":4,"topics":["zz.z","\#(first)"]}"#, id: 4)
        let error = session.isRefused(#"{"type":"subscribe","id":5,"topic":"\#(second)"}"#)
        #expect(error?.code == "overlap")
        #expect(error?.message == "'\(second)' overlaps '\(first)' of subscription 4.")
    }

    @Test(arguments: [
        ("a.*", "a"), ("a.>", "b.>"), (">", "sluice.>"), ("a", "b"), ("*.x", "sluice.x"),
    ])
    mutating func `that can't meet stand beside one another`(first: String, second: String) {
        session.stands(#"{"type":"subscribe","id":4,"topic":"\#(first)"}"#, id: 4)
        let actions = session.says(#"{"type":"subscribe","id":5,"topic":"\#(second)"}"#)
        guard case .subscribe = actions.first else {
            Issue.record("\(actions)")
            return
        }
    }

    @Test mutating func `may overlap within one, and are free again after unsubscribe`() {
        session.stands(#"{"type":"subscribe","id":1,"topics":["a.*","a.b",">"]}"#, id: 1)
        _ = session.says(#"{"type":"unsubscribe","id":1}"#)
        #expect(session.says(#"{"type":"subscribe","id":2,"topics":["a.b","*"]}"#).count == 1)
        #expect(session.isRefused(#"{"type":"subscribe","id":3,"topic":"a.b"}"#)?.code == "overlap")
    }

    @Test mutating func `are bounded in number, names and wildcards`() {
        var limits = Limits()
        limits.subscriptionsMax = 2
        limits.topicsPerSubscribeMax = 3
        session = Session(limits: limits)
        _ = session.begin()
        session.stands(#"{"type":"subscribe","id":1,"topics":["a","b"]}"#, id: 1)
        #expect(
            session.isRefused(#"{"type":"subscribe","id":2,"topics":["c","d"]}"#)?.code
                == "subscription_limit")
        session.stands(#"{"type":"subscribe","id":2,"topic":"c"}"#, id: 2)
        #expect(
            session.isRefused(#"{"type":"subscribe","id":3,"topic":"d"}"#)?.code
                == "subscription_limit")
        var other = Session()
        _ = other.begin()
        let many = (0...1000).map { #""a\#($0).*""# }.joined(separator: ",")
        #expect(
            other.isRefused(#"{"type":"subscribe","id":1,"topics":[\#(many)]}"#)?.code
                == "invalid_request")
    }

    @Test(arguments: [
        (#""topic":"a.*","from":"offset:1""#, "invalid_start", "from"),
        (#""topics":["a","b"],"from":"after:e-1""#, "invalid_start", "from"),
        (#""topic":"a","cursors":{"b":"e-1"}"#, "invalid_request", "cursors"),
        (#""topic":">","cursors":{"sluice.b":"e-1"}"#, "invalid_request", "cursors"),
    ])
    mutating func `are refused when their fields don't fit`(
        fields: String, code: String, field: String
    ) {
        let error = session.isRefused(#"{"type":"subscribe","id":9,\#(fields)}"#)
        #expect(error?.code == code)
        #expect(error?.at?.field == field)
        #expect(error?.id == 9)
        #expect(error?.to == "subscribe")
        #expect(error?.retryAfter == nil)
    }

    @Test mutating func `may say 'replay', and start at an offset of one topic`() {
        let json =
            #"{"type":"subscribe","id":1,"topics":["a"],"from":"offset:1","overflow":"replay"}"#
        #expect(session.says(json).count == 1)
    }

    @Test mutating func `that the broker ends are told why`() {
        session.stands(#"{"type":"subscribe","id":1,"topic":"a"}"#, id: 1)
        let error = BrokerError(.grantRevoked, "Gone.")
        let actions = session.actions {
            $0.subscriptionEnded(id: 1, because: error, now: $1, into: &$2)
        }
        #expect(actions == [.send(.unsubscribed(id: 1, notice: .init(error)))])
        let again = session.actions {
            $0.subscriptionEnded(id: 1, because: error, now: $1, into: &$2)
        }
        #expect(again == [])
    }
}
