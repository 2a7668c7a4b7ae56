import EventModel
import SessionProtocol
import Testing

@Suite("Cursors that come ahead of their subscribe") struct CursorsAheadTests {
    private var session = Session()

    init() { _ = session.begin() }

    private mutating func sends(_ cursors: String, id: Int64 = 1) -> [Session.Action] {
        session.says(#"{"type":"cursors","id":\#(id),"cursors":{\#(cursors)}}"#)
    }

    private mutating func cursorsOfSubscribe(_ more: String = "", id: Int64 = 1) -> [String]? {
        let actions = session.says(
            #"{"type":"subscribe","id":\#(id),"topic":"t\#(id).>"\#(more)}"#)
        guard case .subscribe(let request, _) = actions.first else { return nil }
        return request.cursors.map { "\($0)@\($1)" }.sorted()
    }

    @Test mutating func `are those of the subscription, and the later one of two wins`() {
        #expect(sends(#""t1.a":"e-1","t1.b":"e-2""#) == [])
        #expect(sends(#""t2.a":"e-9""#, id: 2) == [])
        #expect(sends(#""t1.b":"e-3","t1.c":"e-4""#) == [])
        #expect(
            cursorsOfSubscribe(#","cursors":{"t1.c":"e-5","t1.d":"e-6"}"#)
                == ["t1.a@e-1", "t1.b@e-3", "t1.c@e-5", "t1.d@e-6"])
        #expect(cursorsOfSubscribe(id: 2) == ["t2.a@e-9"])
    }

    @Test mutating func `are forgotten with a subscribe, however it ends, and by unsubscribe`() {
        _ = sends(#""t1.a":"e-1""#)
        #expect(session.isRefused(#"{"type":"subscribe","id":1,"topic":"t2.>"}"#) != nil)
        #expect(cursorsOfSubscribe() == [])

        _ = sends(#""t2.a":"e-1""#, id: 2)
        #expect(session.isRefused(#"{"type":"subscribe","id":2,"topic":"t2..>"}"#) != nil)
        #expect(cursorsOfSubscribe(id: 2) == [])

        _ = sends(#""t3.a":"e-1""#, id: 3)
        #expect(session.says(#"{"type":"unsubscribe","id":3}"#) == [.send(.unsubscribed(id: 3))])
        #expect(session.isRefused(#"{"type":"unsubscribe","id":3}"#)?.code == "invalid_request")
        #expect(cursorsOfSubscribe(id: 3) == [])
    }

    @Test(arguments: [#""t1.a":"17""#, #""t1.a":"e-1","t1.a":"e-1""#, #""t1..a":"e-1""#])
    mutating func `that are refused refuse their subscribe, which would begin elsewhere`(
        bad: String
    ) {
        _ = sends(#""t1.b":"e-1""#)
        #expect(session.isRefused(#"{"type":"cursors","id":1,"cursors":{\#(bad)}}"#)?.id == 1)
        let more = session.isRefused(#"{"type":"cursors","id":1,"cursors":{"t1.c":"e-1"}}"#)
        #expect(more?.to == "cursors")
        let error = session.isRefused(#"{"type":"subscribe","id":1,"topic":"t1.>"}"#)
        #expect(error?.code == "invalid_request")
        #expect(error?.to == "subscribe")
        #expect(cursorsOfSubscribe() == [])
    }

    @Test mutating func `are refused for a subscription that stands`() {
        session.stands(#"{"type":"subscribe","id":1,"topic":"a"}"#, id: 1)
        let error = session.isRefused(#"{"type":"cursors","id":1,"cursors":{"a":"e-1"}}"#)
        #expect(error?.at?.field == "id")
        #expect(error?.to == "cursors")
    }

    @Test mutating func `are bounded in number over the session`() {
        var limits = Limits()
        limits.cursorsAheadMax = 3
        session = Session(limits: limits)
        _ = session.begin()
        _ = sends(#""t1.a":"e-1","t1.b":"e-1""#)
        #expect(sends(#""t1.a":"e-2","t1.b":"e-2""#) == [])
        _ = sends(#""t2.a":"e-1""#, id: 2)
        let error = session.isRefused(#"{"type":"cursors","id":2,"cursors":{"t2.b":"e-1"}}"#)
        #expect(error?.code == "subscription_limit")
        #expect(cursorsOfSubscribe() == ["t1.a@e-2", "t1.b@e-2"])
        // What was given up leaves room.
        #expect(sends(#""t3.a":"e-1","t3.b":"e-1","t3.c":"e-1""#, id: 3) == [])
    }

    @Test mutating func `are bounded in bytes over the session`() {
        var limits = Limits()
        limits.cursorsAheadBytesMax = 400
        session = Session(limits: limits)
        _ = session.begin()
        let long = "t1." + String(repeating: "x", count: 190)
        #expect(sends(#""\#(long)":"e-1""#) == [])
        let other = #"{"type":"cursors","id":1,"cursors":{"\#(long)y":"e-1"}}"#
        #expect(session.isRefused(other)?.code == "subscription_limit")
    }

    @Test mutating func `are bounded in ids, which count as subscriptions`() {
        var limits = Limits()
        limits.subscriptionsMax = 2
        session = Session(limits: limits)
        _ = session.begin()
        session.stands(#"{"type":"subscribe","id":1,"topic":"a"}"#, id: 1)
        _ = sends(#""t2.a":"e-1""#, id: 2)
        let third = #"{"type":"cursors","id":3,"cursors":{"t3.a":"e-1"}}"#
        #expect(session.isRefused(third)?.code == "subscription_limit")
        #expect(
            session.isRefused(#"{"type":"subscribe","id":3,"topic":"t3.>"}"#)?.code
                == "subscription_limit")
        #expect(cursorsOfSubscribe(id: 2) == ["t2.a@e-1"])
    }
}
