import EventModel
import SessionProtocol
import Testing

private let everything =
    #"{"type":"subscribe","id":1,"topic":"a","overflow":"conflate","credit":5,"max_rate":20}"#

@Suite("A subscription of a broker that offers everything") struct DeliveryOptionsTests {
    private var session = Session()

    init() { _ = session.begin() }

    @Test mutating func `has its policy, rate and credit`() throws {
        let request = SubscribeRequest(
            id: 1, patterns: [try TopicPattern("a")],
            options: SubscriptionOptions(overflow: .conflate, maxRate: 20, credit: 5))
        #expect(session.says(everything) == [.subscribe(request)])
    }

    @Test mutating func `gets credit, also before it is answered`() {
        _ = session.says(everything)
        let credit = #"{"type":"credit","id":1,"events":100}"#
        #expect(session.says(credit) == [.credit(id: 1, events: 100)])
        _ = session.actions { $0.subscribed(.init(id: 1, topics: []), now: $1, into: &$2) }
        #expect(session.says(credit) == [.credit(id: 1, events: 100)])
    }

    @Test mutating func `has credit of its own, which adds up to 2^53 - 1`() {
        session.stands(#"{"type":"subscribe","id":1,"topic":"a","credit":0}"#, id: 1)
        session.stands(#"{"type":"subscribe","id":2,"topic":"b","credit":1}"#, id: 2)
        let all = Limits.integerMax
        #expect(session.says(#"{"type":"credit","id":1,"events":\#(all)}"#).count == 1)
        let over = session.isRefused(#"{"type":"credit","id":1,"events":1}"#)
        #expect(over?.code == "invalid_request" && over?.at?.field == "events" && over?.id == 1)
        #expect(session.says(#"{"type":"credit","id":2,"events":\#(all - 1)}"#).count == 1)
    }

    @Test(arguments: [(Int64(1), "events"), (2, "id"), (3, "id")])
    mutating func `gets none that it did not ask for, nor when it is gone`(id: Int64, field: String)
    {
        session.stands(#"{"type":"subscribe","id":1,"topic":"a"}"#, id: 1)
        _ = session.says(#"{"type":"subscribe","id":2,"topic":"b","credit":1}"#)
        _ = session.says(#"{"type":"unsubscribe","id":2}"#)
        let error = session.isRefused(#"{"type":"credit","id":\#(id),"events":1}"#)
        #expect(error?.code == "invalid_request" && error?.at?.field == field)
        #expect(error?.to == "credit")
    }

    @Test mutating func `changes its rate, also before it is answered`() {
        _ = session.says(everything)
        #expect(
            session.says(#"{"type":"update","id":1,"max_rate":50}"#) == [
                .update(id: 1, SubscriptionChanges(maxRate: 50)), .send(.updated(id: 1)),
            ])
        _ = session.actions { $0.subscribed(.init(id: 1, topics: []), now: $1, into: &$2) }
        #expect(
            session.says(#"{"type":"update","id":1,"max_rate":null}"#) == [
                .update(id: 1, SubscriptionChanges(maxRate: .some(nil))), .send(.updated(id: 1)),
            ])
    }

    @Test mutating func `does not change when it is gone`() {
        session.stands(everything, id: 1)
        let missing = session.isRefused(#"{"type":"update","id":2,"max_rate":1}"#)
        #expect(missing?.at?.field == "id" && missing?.id == 2)
        _ = session.says(#"{"type":"unsubscribe","id":1}"#)
        #expect(session.isRefused(#"{"type":"update","id":1,"max_rate":1}"#) != nil)
    }

    @Test mutating func `that may not wait for a slow client ends the session with 4008`() {
        let actions = session.actions { $0.end(.overflow, now: $1, into: &$2) }
        #expect(
            actions == [
                .send(.closing(.init(.overflow, reconnectAfter: nil))),
                .close(.overflow, reason: "overflow"),
            ])
        #expect(CloseCode.overflow.rawValue == 4008)
    }

}

@Suite("A stream's query") struct StreamOptionsTests {
    private var actions: [StreamConversation.Action] = []

    private func stream(credit: Int64?) -> StreamConversation {
        StreamConversation(
            terms: SessionTerms(node: "n1", version: "1"), credit: credit,
            expires: nil, now: start)
    }

    @Test func `has its policy, rate and credit in the query`() throws {
        let items = [("overflow", "drop_oldest"), ("max_rate", "20"), ("credit", "0")]
        let query = try StreamQuery(
            of: try topic("a"), items: items.map { (name: $0.0, value: $0.1) }, terms: terms())
        #expect(
            query.options == SubscriptionOptions(overflow: .dropOldest, maxRate: 20, credit: 0))
    }

    @Test(arguments: [
        ("max_rate", "0"), ("max_rate", "-1"), ("max_rate", "x"), ("max_rate", ""),
        ("credit", "-1"), ("credit", "1.5"), ("credit", "9007199254740992"),
        ("overflow", "explode"),
    ])
    func `refuses other values by the item's name`(name: String, value: String) {
        let error = #expect(throws: BrokerError.self) {
            try StreamQuery(
                of: try topic("a"), items: [(name: name, value: value)], terms: terms())
        }
        #expect(error?.code == .invalidRequest && error?.at?.field == name)
    }

    @Test mutating func `gets credit, with or without an id, up to 2^53 - 1`() {
        var stream = stream(credit: 1)
        let rest = Limits.integerMax - 6
        for json in [
            #"{"type":"credit","events":5}"#, #"{"type":"credit","id":3,"events":\#(rest)}"#,
        ] {
            stream.messageReceived(utf8(json), now: start, into: &actions)
        }
        #expect(actions == [.credit(5), .credit(rest)])
        actions = []
        stream.messageReceived(
            utf8(#"{"type":"credit","id":4,"events":1}"#), now: start, into: &actions)
        guard case .send(.error(let error)) = actions.first, actions.count == 1 else {
            Issue.record("\(actions)")
            return
        }
        #expect(error.id == 4 && error.to == "credit" && error.at?.field == "events")
    }

    @Test mutating func `gets none that its query did not ask for`() {
        var stream = stream(credit: nil)
        stream.messageReceived(
            utf8(#"{"type":"credit","events":5}"#), now: start, into: &actions)
        guard case .send(.error(let error)) = actions.first, actions.count == 1 else {
            Issue.record("\(actions)")
            return
        }
        #expect(error.code == "invalid_request" && error.to == "credit")
    }
}
