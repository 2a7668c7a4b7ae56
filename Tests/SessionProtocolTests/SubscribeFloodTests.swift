import EventModel
import SessionProtocol
import Testing

@Suite("A session that subscribes and unsubscribes without end") struct SubscribeFloodTests {
    private var session: Session

    init() {
        var limits = Limits()
        limits.topicsPerSubscribeMax = 5
        session = Session(limits: limits, faultsPerMinuteMax: 3)
        _ = session.begin()
    }

    /// Names five topics and gives them up; `nil` if it may.
    private mutating func round() -> ErrorMessage? {
        let actions = session.says(
            #"{"type":"subscribe","id":1,"topics":["a","b","c","d","e"]}"#)
        if case .send(.error(let error)) = actions.first { return error }
        _ = session.actions { $0.subscribed(.init(id: 1, topics: []), now: $1, into: &$2) }
        _ = session.says(#"{"type":"unsubscribe","id":1}"#)
        return nil
    }

    @Test mutating func `is told to wait after six times what it may hold in a minute`() {
        for _ in 0..<6 { #expect(round() == nil) }
        session.now = session.now.advanced(by: .seconds(20))
        let error = round()
        #expect(error?.code == "rate_limited")
        #expect(error?.retryAfter == .seconds(40))
        #expect(error?.id == 1 && error?.to == "subscribe")
        session.now = session.now.advanced(by: .seconds(40))
        for _ in 0..<6 { #expect(round() == nil) }
        #expect(round()?.retryAfter == .seconds(60))
    }

    @Test mutating func `is closed with 4009 when it does not wait`() {
        for _ in 0..<6 { _ = round() }
        for _ in 0..<2 { #expect(round()?.code == "rate_limited") }
        #expect(session.conversation.isOpen)
        let actions = session.says(#"{"type":"subscribe","id":1,"topic":"a"}"#)
        #expect(
            Array(actions.dropFirst()) == [
                .send(.closing(.init(.rateLimited, reconnectAfter: .seconds(60)))),
                .close(.rateLimited, reason: "rate_limited"),
            ])
        #expect(!session.conversation.isOpen)
    }

    @Test mutating func `has no more open questions than it may have subscriptions`() {
        var limits = Limits()
        limits.subscriptionsMax = 2
        session = Session(limits: limits)
        _ = session.begin()
        for id in 1...2 {
            _ = session.says(#"{"type":"subscribe","id":\#(id),"topic":"a\#(id)"}"#)
            _ = session.says(#"{"type":"unsubscribe","id":\#(id)}"#)
        }
        // What was given up counts until the broker has answered.
        let error = session.isRefused(#"{"type":"subscribe","id":3,"topic":"b"}"#)
        #expect(error?.code == "subscription_limit")
    }

    @Test mutating func `is closed with 4502 when it unsubscribes what is not there`() {
        for _ in 0..<2 { _ = session.isRefused(#"{"type":"unsubscribe","id":1}"#) }
        let actions = session.says(#"{"type":"unsubscribe","id":1}"#)
        #expect(actions.last == .close(.tooManyErrors, reason: "too_many_errors"))
    }
}
