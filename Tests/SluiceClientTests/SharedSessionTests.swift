import EventModel
import Testing

@testable import SluiceClient

/// No chance: every wait is the shortest.
private struct NoChance: RandomNumberGenerator {
    mutating func next() -> UInt64 { 0 }
}

@Suite("Subscriptions of one session") struct SharedSessionTests {
    private var session = SharedSession(hasConnected: false, canRenew: false)
    private var now = ContinuousClock.now
    private var chance = NoChance()
    private var actions: [SharedSession.Action] = []

    // MARK: What a test does

    private mutating func take() -> [SharedSession.Action] {
        defer { actions = [] }
        return actions
    }

    private mutating func join(_ id: Int64, _ patterns: String..., credit: Int64? = nil) throws {
        let progress = SubscriptionProgress(
            id: id, patterns: try patterns.map { try TopicPattern($0) }, start: .latest,
            options: SubscriptionOptions(credit: credit))
        session.join(id, progress, now: now, into: &actions)
    }

    private mutating func says(_ messages: String...) {
        for message in messages {
            session.received(Array(message.utf8), now: now, jitter: &chance, into: &actions)
        }
    }

    private mutating func connect() {
        session.opened(now: now)
        says(Self.welcome())
    }

    /// Two subscriptions stand, and what was done for that is forgotten.
    private mutating func standing() throws {
        try join(1, "a.>", credit: 4)
        try join(2, "b.>", credit: 4)
        connect()
        says(Self.subscribed(1), Self.subscribed(2))
        actions = []
    }

    private static func welcome(expires: String = "null") -> String {
        """
        {"type":"welcome","protocol":"sluice.v1","session":"s_1","node":"n","version":"1",\
        "time":"2026-01-01T00:10:00.000000Z","heartbeat_ms":20000,"expires":\(expires),"limits":{\
        "message_bytes":1000,"event_bytes":1,"subscriptions":1,"topics_per_subscribe":9,\
        "filter_bytes":1}}
        """
    }

    private static func subscribed(_ id: Int) -> String {
        #"{"type":"subscribed","id":\#(id),"topics":{}}"#
    }

    private static func event(_ topic: String, _ offset: Int, bytes: Int = 1) -> String {
        #"{"type":"event","topic":"\#(topic)","offset":\#(offset),"cursor":"k3f9-\#(offset)","#
            + #""time":"2026-01-01T00:10:01.000000Z","data":"#
            + String(repeating: "1", count: bytes) + "}"
    }

    private static func error(_ id: Int, _ code: String, retry: String = "") -> String {
        #"{"type":"error","id":\#(id),"to":"subscribe","code":"\#(code)","message":"m","#
            + #""remedy":"r"\#(retry)}"#
    }

    // MARK: What a test sees

    private func sent(_ actions: [SharedSession.Action]) -> [String] {
        actions.compactMap {
            if case .send(let text) = $0 { String(decoding: text, as: UTF8.self) } else { nil }
        }
    }

    /// Whom events came to, with their topics and offsets.
    private func events(_ actions: [SharedSession.Action]) -> [String] {
        actions.compactMap {
            guard case .deliver(.event(let event), let id) = $0 else { return nil }
            return "\(id): \(event.topic) \(event.offset)"
        }
    }

    private func fields(_ text: String) throws -> JSONFields { try JSONFields(Array(text.utf8)) }

    // MARK: Promises

    @Test mutating func `share one connection, each with its own subscribe`() throws {
        try join(1, "a.>")
        try join(2, "b.>")
        #expect(take() == [.connect])
        session.opened(now: now)
        #expect(take().isEmpty)
        says(Self.welcome())
        let welcomed = take()
        #expect(welcomed.first == .watch(silenceMax: .seconds(40)))
        let requests = try sent(welcomed).map { try fields($0) }
        #expect(requests.map { $0.integer("id") } == [1, 2])
        #expect(requests.map { $0.text("topic") } == ["a.>", "b.>"])
        try join(3, "c")
        #expect(try sent(take()).map { try fields($0).integer("id") } == [3])
    }

    @Test mutating func `get what their own topics have`() throws {
        try standing()
        says(Self.event("a.x", 1), Self.event("b.x", 1), Self.event("a.x", 2), Self.event("c", 1))
        #expect(events(take()) == ["1: a.x 1", "2: b.x 1", "1: a.x 2"])
        says(
            #"{"type":"gap","topic":"b.x","from":2,"to":3,"cursor":"k3f9-3","reason":"purged"}"#,
            #"{"type":"live","id":1}"#)
        let told = take().map { action -> String in
            guard case .deliver(.notice(let notice, _), let id) = action else { return "?" }
            return "\(id): \(notice)"
        }
        #expect(
            told == [
                "2: \(SubscriptionNotice.gap(topic: "b.x", from: 2, to: 3, reason: "purged"))",
                "1: \(SubscriptionNotice.live)",
            ])
    }

    @Test mutating func `are told how far their own topics are, in messages of their own`() throws {
        try standing()
        says(#"{"type":"cursor","cursors":{"a.x":"k3f9-7","b.x":"k3f9-9"}}"#)
        let own = #"{"type":"cursor","cursors":{"a.x":"k3f9-7"}}"#
        let other = #"{"type":"cursor","cursors":{"b.x":"k3f9-9"}}"#
        #expect(
            take() == [
                .deliver(
                    .notice(.progress(cursors: ["a.x": "k3f9-7"]), message: Array(own.utf8)),
                    to: 1),
                .deliver(
                    .notice(.progress(cursors: ["b.x": "k3f9-9"]), message: Array(other.utf8)),
                    to: 2),
            ])
    }

    @Test mutating func `are paced one by one: who takes nothing grants nothing`() throws {
        try standing()
        says(Self.event("a.x", 1), Self.event("b.x", 1), Self.event("a.x", 2), Self.event("b.x", 2))
        _ = take()
        session.took(2, events: 2, bytes: 200, now: now, into: &actions)
        #expect(sent(take()) == [#"{"type":"credit","id":2,"events":2}"#])
        session.took(1, events: 1, bytes: 100, now: now, into: &actions)
        #expect(take().isEmpty)
    }

    @Test mutating func `go on exactly, all of them, on the next connection`() throws {
        try standing()
        says(Self.event("a.x", 1), Self.event("b.x", 7))
        _ = take()
        session.ended(.broken("gone"), now: now, jitter: &chance, into: &actions)
        let notice = SubscriptionItem.notice(
            .disconnected(reason: "gone", retryIn: .milliseconds(125)), message: nil)
        #expect(
            take() == [
                .leave, .deliver(notice, to: 1), .deliver(notice, to: 2),
                .wake(after: .milliseconds(125)),
            ])
        now += .milliseconds(125)
        session.wake(into: &actions)
        #expect(take() == [.connect])
        connect()
        let requests = try sent(take()).map { try fields($0) }
        #expect(requests.map { $0.object("cursors")?.text("a.x") } == ["k3f9-1", nil])
        #expect(requests.map { $0.object("cursors")?.text("b.x") } == [nil, "k3f9-7"])
        // What waits to be taken is a part of what the broker may send.
        #expect(requests.map { $0.integer("credit") } == [3, 3])
    }

    @Test mutating func `that come while the connection is lost hear of it, and wait`() throws {
        try standing()
        session.ended(.broken("gone"), now: now, jitter: &chance, into: &actions)
        _ = take()
        now += .milliseconds(100)
        try join(3, "c")
        let notice = SubscriptionNotice.disconnected(reason: "gone", retryIn: .milliseconds(25))
        #expect(take() == [.deliver(.notice(notice, message: nil), to: 3)])
    }

    @Test mutating func `leave one by one, and the last closes the connection`() throws {
        try standing()
        session.leave(1, into: &actions)
        #expect(sent(take()) == [#"{"type":"unsubscribe","id":1}"#])
        says(Self.event("a.x", 1), Self.event("b.x", 1), #"{"type":"unsubscribed","id":1}"#)
        #expect(events(take()) == ["2: b.x 1"])
        session.leave(2, into: &actions)
        #expect(take() == [.leave])
        says(Self.event("b.x", 2))
        #expect(take().isEmpty)
        try join(3, "c")
        #expect(take() == [.connect])
    }

    @Test mutating func `take nothing that was meant for the one before them`() throws {
        try standing()
        session.leave(1, into: &actions)
        try join(3, "a.x")
        _ = take()
        says(Self.event("a.x", 1), #"{"type":"unsubscribed","id":1}"#, Self.subscribed(3))
        says(Self.event("a.x", 2))
        #expect(events(take()) == ["3: a.x 2"])
    }

    @Test mutating func `end one by one, where the broker refuses one`() throws {
        try standing()
        says(Self.error(1, "forbidden"), Self.event("a.x", 1), Self.event("b.x", 1))
        let after = take()
        #expect(after.first == .fail(1, SluiceError(.refused, code: "forbidden", "m", remedy: "r")))
        #expect(events(after) == ["2: b.x 1"])
    }

    @Test(arguments: ["overlap", "subscription_limit"])
    mutating func `move into a session of their own, where the broker has them alone`(
        code: String
    ) throws {
        try standing()
        try join(3, "c.>")
        _ = take()
        says(Self.error(3, code))
        #expect(take() == [.move(3)])
        let moved = session.moved(3, into: &actions)
        #expect(moved?.id == 3)
        #expect(take().isEmpty)
        says(Self.event("b.x", 1))
        #expect(events(take()) == ["2: b.x 1"])
    }

    @Test mutating func `end, where the broker would not have one alone either`() throws {
        try join(1, "a.>")
        connect()
        _ = take()
        says(Self.error(1, "subscription_limit"))
        let after = take()
        #expect(after.count == 2 && after.last == .leave)
        guard case .fail(1, _) = after.first else { throw TimedOut(what: "\(after)") }
    }

    @Test mutating func `leave the session for a while when too much of them waits`() throws {
        try standing()
        for offset in 1...4 { says(Self.event("a.x", offset, bytes: 1 << 20)) }
        let full = take()
        #expect(events(full).count == 4)
        #expect(sent(full) == [#"{"type":"unsubscribe","id":1}"#])
        // What is under way of it comes again; the other one is not held up.
        says(Self.event("a.x", 5), Self.event("b.x", 1), #"{"type":"unsubscribed","id":1}"#)
        let after = take()
        #expect(events(after) == ["2: b.x 1"])
        #expect(sent(after).isEmpty)
        session.took(1, events: 2, bytes: 2 << 20, now: now, into: &actions)
        #expect(take().isEmpty)
        session.took(1, events: 1, bytes: 1 << 20, now: now, into: &actions)
        let again = try fields(try #require(sent(take()).first))
        #expect(again.object("cursors")?.text("a.x") == "k3f9-4")
        #expect(again.integer("credit") == 3)
    }

    @Test mutating func `ignore messages of later versions`() throws {
        try standing()
        says(#"{"type":"weather","sun":true}"#)
        #expect(take().isEmpty)
    }

    @Test mutating func `all come back where an error passes`() throws {
        try standing()
        says(Self.error(1, "database_unavailable", retry: #","retry_after_ms":500"#))
        let after = take()
        #expect(after.first == .leave && after.last == .wake(after: .milliseconds(625)))
        #expect(after.count == 4)
    }

    @Test mutating func `all end with what is no message of a broker`() throws {
        try standing()
        says(#"{"type":"event","topic":"a.x"}"#)
        let after = take()
        #expect(after.count == 3 && after.last == .leave)
        guard case .fail(1, let error) = after[0], case .fail(2, error) = after[1] else {
            throw TimedOut(what: "\(after)")
        }
        #expect(error.code == "invalid_answer")
    }

    @Test mutating func `tell a new rate to the broker, now and on the next connection`() throws {
        try standing()
        session.update(1, maxRate: 5, into: &actions)
        #expect(sent(take()) == [#"{"type":"update","id":1,"max_rate":5}"#])
        session.ended(.broken("gone"), now: now, jitter: &chance, into: &actions)
        session.update(1, maxRate: 7, into: &actions)
        #expect(sent(take()).isEmpty)
        session.wake(into: &actions)
        connect()
        #expect(try sent(take()).map { try fields($0).integer("max_rate") } == [7, nil])
    }

    @Test mutating func `end where the broker was never reached, and else wait for it`() throws {
        let error = SluiceError(
            .unreachable, code: "unreachable", "no.", remedy: "r", retryAfter: .zero)
        try join(1, "a")
        session.notOpened(error, now: now, jitter: &chance, into: &actions)
        #expect(take() == [.connect, .fail(1, error), .leave])
        session = SharedSession(hasConnected: true, canRenew: false)
        try join(1, "a")
        session.notOpened(error, now: now, jitter: &chance, into: &actions)
        #expect(take().last == .wake(after: .milliseconds(125)))
    }
}

@Suite("A session whose token ends") struct SessionTokenTests {
    private var now = ContinuousClock.now
    private var chance = NoChance()
    private var actions: [SharedSession.Action] = []

    private mutating func welcomed(canRenew: Bool, expires: String) throws -> SharedSession {
        var session = SharedSession(hasConnected: false, canRenew: canRenew)
        let progress = SubscriptionProgress(
            id: 1, patterns: [try TopicPattern("a")], start: .latest)
        session.join(1, progress, now: now, into: &actions)
        session.opened(now: now)
        says(
            """
            {"type":"welcome","protocol":"sluice.v1","session":"s_1","node":"n","version":"1",\
            "time":"2026-01-01T00:10:00.000000Z","heartbeat_ms":20000,"expires":"\(expires)",\
            "limits":{}}
            """, &session)
        return session
    }

    private mutating func says(_ message: String, _ session: inout SharedSession) {
        session.received(Array(message.utf8), now: now, jitter: &chance, into: &actions)
    }

    private mutating func take() -> [SharedSession.Action] {
        defer { actions = [] }
        return actions
    }

    @Test(arguments: [
        ("2026-01-01T01:10:00Z", Duration.seconds(59 * 60)), ("2026-01-01T00:10:30Z", .seconds(20)),
    ])
    mutating func `gets another one in time`(expires: String, wait: Duration) throws {
        var session = try welcomed(canRenew: true, expires: expires)
        #expect(take().contains(.renewToken(after: wait)))
        session.tokenCame("slc_b_c", into: &actions)
        #expect(take() == [.send(Array(#"{"type":"auth","token":"slc_b_c"}"#.utf8))])
        now += wait
        says(#"{"type":"authenticated","expires":"2026-01-01T02:10:00Z"}"#, &session)
        guard case .renewToken(let next)? = take().first else { throw TimedOut(what: "renewal") }
        #expect(next == .seconds(2 * 3600 - 60) - wait)
    }

    @Test mutating func `asks once where the new one does not last longer`() throws {
        var session = try welcomed(canRenew: true, expires: "2026-01-01T00:10:30Z")
        _ = take()
        says(#"{"type":"authenticated","expires":"2026-01-01T00:10:30Z"}"#, &session)
        #expect(take().isEmpty)
    }

    @Test mutating func `asks again where there was none, as long as there is time`() throws {
        var session = try welcomed(canRenew: true, expires: "2026-01-01T00:10:30Z")
        _ = take()
        now += .seconds(20)
        session.noTokenCame(now: now, into: &actions)
        #expect(take() == [.renewToken(after: .seconds(5))])
        now += .seconds(10)
        session.noTokenCame(now: now, into: &actions)
        #expect(take().isEmpty)
    }

    @Test(arguments: [UInt16(4200), 4201, 4202])
    mutating func `goes on with another one after the broker has ended it`(code: UInt16) throws {
        var session = try welcomed(canRenew: true, expires: "2026-01-01T00:10:30Z")
        _ = take()
        session.ended(
            .closed(code: code, reason: "r"), now: now, jitter: &chance, into: &actions)
        #expect(actions.first == .forgetToken)
        #expect(actions.last == .wake(after: .milliseconds(125)))
    }

    @Test mutating func `is over where there is no other one`() throws {
        var session = try welcomed(canRenew: false, expires: "2026-01-01T00:10:30Z")
        #expect(!take().contains { if case .renewToken = $0 { true } else { false } })
        session.ended(
            .closed(code: 4200, reason: "token_expired"), now: now, jitter: &chance, into: &actions)
        guard case .fail(1, let error)? = take().first else { throw TimedOut(what: "the end") }
        #expect(error.kind == .refused && error.code == "token_expired")
    }
}
