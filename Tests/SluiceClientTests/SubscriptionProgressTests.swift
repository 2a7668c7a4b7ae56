import EventModel
import SessionProtocol
import Testing

@testable import SluiceClient

@Suite("A subscription over its connections") struct SubscriptionProgressTests {
    private let welcome = """
        {"type":"welcome","protocol":"sluice.v1","session":"s_1","node":"n","version":"1",\
        "time":"2026-01-01T00:10:00.000000Z","heartbeat_ms":20000,"expires":null,"limits":{\
        "message_bytes":1000,"event_bytes":1,"subscriptions":1,"topics_per_subscribe":1,"filter_bytes":1}}
        """

    private func event(_ offset: Int) -> String {
        #"{"type":"event","topic":"a.b","offset":\#(offset),"cursor":"k3f9-\#(offset)","#
            + #""time":"2026-01-01T00:10:01.000000Z","data":[1, 2]}"#
    }

    private func progress(from start: StartPosition = .latest) throws -> SubscriptionProgress {
        SubscriptionProgress(patterns: [try TopicPattern("a.>")], start: start)
    }

    /// As its session does it: a welcome makes it subscribe, a refusal is an answer to that.
    private func steps(
        _ progress: inout SubscriptionProgress, _ messages: String...
    ) throws -> [SubscriptionProgress.Step] {
        var steps: [SubscriptionProgress.Step] = []
        for text in messages.map({ Array($0.utf8) }) {
            switch try #require(try BrokerMessage.decode(text)) {
            case .welcome(let welcome): progress.subscribe(in: welcome, into: &steps)
            case .error(let error):
                guard !progress.goesWithoutCredit(error, into: &steps) else { continue }
                throw SluiceError(error.brokerError)
            case let message: try progress.received(message, text, into: &steps)
            }
        }
        return steps
    }

    /// What is said when so many events were taken.
    private func took(_ events: Int, _ progress: inout SubscriptionProgress) -> String? {
        var steps: [SubscriptionProgress.Step] = []
        progress.took(events, into: &steps)
        return sent(steps).first
    }

    private func sent(_ steps: [SubscriptionProgress.Step]) -> [String] {
        steps.compactMap { step in
            if case .send(let text) = step { String(decoding: text, as: UTF8.self) } else { nil }
        }
    }

    @Test func `subscribes when it is welcome`() throws {
        var progress = try progress()
        let steps = try steps(&progress, welcome)
        let request = try JSONFields(Array(try #require(sent(steps).first).utf8))
        #expect(request.text("type") == "subscribe")
        #expect(request.text("topic") == "a.>")
        #expect(request.raw("cursors") == nil)
    }

    @Test func `gives events with their exact data and the whole message`() throws {
        var progress = try progress()
        let text = event(7)
        let steps = try steps(&progress, text)
        guard case .item(.event(let received)) = try #require(steps.first) else {
            Issue.record("no event: \(steps)")
            return
        }
        #expect(received.offset == 7)
        #expect(received.cursor == "k3f9-7")
        #expect(received.data == Array("[1, 2]".utf8))
        #expect(received.message == Array(text.utf8))
    }

    @Test func `goes on behind the last event on the next connection`() throws {
        var progress = try progress()
        _ = try steps(
            &progress, welcome, #"{"type":"subscribed","id":1,"topics":{}}"#, event(7), event(8))
        let resumed = try steps(&progress, welcome)
        let request = try JSONFields(Array(try #require(sent(resumed).first).utf8))
        #expect(request.object("cursors")?.text("a.b") == "k3f9-8")
        // Topics that were not seen begin a minute before the first welcome, so that none is
        // missed.
        #expect(request.text("from") == "time:2026-01-01T00:09:00.000000Z")
    }

    @Test func `begins topics that it never saw at the broker's mark`() throws {
        var progress = try progress()
        let mark = "mark:latest.memory0001.hefg7e3rpc"
        let subscribed = #"{"type":"subscribed","id":1,"topics":{},"resume_from":"\#(mark)"}"#
        _ = try steps(&progress, welcome, subscribed, event(7))
        for _ in 1...2 {
            let request = try JSONFields(
                Array(try #require(sent(try steps(&progress, welcome)).first).utf8))
            #expect(request.text("from") == mark)
            #expect(request.object("cursors")?.text("a.b") == "k3f9-7")
            _ = try steps(&progress, subscribed)
        }
    }

    @Test func `begins behind the cursors of another one, in several messages`() throws {
        let cursors = try ["a.b", "a.c"].map {
            (try TopicName($0), try #require(Cursor("k3f91-7")))
        }
        var progress = SubscriptionProgress(
            patterns: [try TopicPattern("a.>")], start: .earliest,
            cursors: Dictionary(uniqueKeysWithValues: cursors))
        let messages = try sent(try steps(&progress, welcome)).map {
            try JSONFields(Array($0.utf8))
        }
        #expect(messages.map { $0.text("type") } == ["cursors", "cursors", "subscribe"])
        #expect(messages[0].object("cursors")?.text("a.b") == "k3f91-7")
        #expect(messages[1].object("cursors")?.text("a.c") == "k3f91-7")
        #expect(messages[2].text("from") == "earliest")
    }

    @Test func `goes on in several messages when one does not hold its cursors`() throws {
        var progress = try progress()
        _ = try steps(
            &progress, welcome, #"{"type":"subscribed","id":1,"topics":{}}"#, event(7),
            event(3).replacing("a.b", with: "a.c"))
        // The welcome tells one cursor a message.
        let messages = try sent(try steps(&progress, welcome)).map { text in
            try JSONFields(Array(text.utf8))
        }
        #expect(messages.map { $0.text("type") } == ["cursors", "cursors", "subscribe"])
        #expect(messages.map { $0.integer("id") } == [1, 1, 1])
        #expect(messages[0].object("cursors")?.text("a.b") == "k3f9-7")
        #expect(messages[1].object("cursors")?.text("a.c") == "k3f9-3")
        #expect(messages[2].raw("cursors") == nil)
    }

    @Test func `repeats its first start when the connection broke before the subscription stood`()
        throws
    {
        var progress = try progress(from: .last(3))
        let first = sent(try steps(&progress, welcome))
        #expect(sent(try steps(&progress, welcome)) == first)
    }

    @Test func `tells gaps, resets, lag and live`() throws {
        var progress = try progress()
        let steps = try steps(
            &progress,
            #"{"type":"gap","topic":"a.b","from":1,"to":3,"cursor":"k3f9-3","reason":"retention"}"#,
            #"{"type":"reset","topic":"a.b","cursor":"m1-0","reason":"recreated"}"#,
            #"{"type":"lagging","id":1,"behind":12}"#, #"{"type":"live","id":1}"#)
        let notices = steps.compactMap { step -> SubscriptionNotice? in
            if case .item(.notice(let notice, _)) = step { notice } else { nil }
        }
        #expect(
            notices == [
                .gap(topic: "a.b", from: 1, to: 3, reason: "retention"),
                .reset(topic: "a.b", reason: "recreated"), .lagging(behind: 12), .live,
            ])
    }

    private static let noCredit =
        #"{"type":"error","id":1,"to":"subscribe","code":"invalid_request","message":"m","#
        + #""remedy":"r","at":{"field":"credit"}}"#
    private static let subscribed = #"{"type":"subscribed","id":1,"topics":{}}"#

    private func request(_ steps: [SubscriptionProgress.Step]) throws -> JSONFields {
        try JSONFields(Array(try #require(sent(steps).last).utf8))
    }

    @Test func `grants credit as events are taken, half a window at a time`() throws {
        var progress = SubscriptionProgress(
            patterns: [try TopicPattern("a.>")], start: .latest,
            options: SubscriptionOptions(credit: 4))
        #expect(try request(try steps(&progress, welcome)).integer("credit") == 4)
        let granted = [1, 1, 1, 3].map { took($0, &progress) }
        #expect(
            granted == [
                nil, #"{"type":"credit","id":1,"events":2}"#, nil,
                #"{"type":"credit","id":1,"events":4}"#,
            ])
    }

    @Test func `grants a whole window again on the next connection`() throws {
        var progress = SubscriptionProgress(
            patterns: [try TopicPattern("a.>")], start: .latest,
            options: SubscriptionOptions(credit: 4))
        _ = try steps(&progress, welcome, Self.subscribed, event(7))
        #expect(took(1, &progress) == nil)
        #expect(try request(try steps(&progress, welcome)).integer("credit") == 4)
        #expect(took(1, &progress) == nil)
    }

    @Test func `does without credit where it is not offered, and says its cursors again`() throws {
        var progress = try progress()
        _ = try steps(&progress, welcome, Self.subscribed, event(7))
        #expect(took(1, &progress) == nil)
        let first = try request(try steps(&progress, welcome))
        #expect(first.integer("credit") == CreditWindow.usual)
        let second = try request(try steps(&progress, Self.noCredit))
        #expect(second.raw("credit") == nil)
        #expect(second.object("cursors")?.text("a.b") == "k3f9-7")
        #expect(took(1_000_000, &progress) == nil)
        #expect(throws: SluiceError.self) { try steps(&progress, Self.noCredit) }
    }

    @Test func `does not do without credit that was asked for`() throws {
        var progress = SubscriptionProgress(
            patterns: [try TopicPattern("a.>")], start: .latest,
            options: SubscriptionOptions(credit: 4))
        _ = try steps(&progress, welcome)
        let error = #expect(throws: SluiceError.self) { try steps(&progress, Self.noCredit) }
        #expect(error?.kind == .invalid)
    }

    @Test func `says its policy and the newest rate with each subscribe`() throws {
        var progress = SubscriptionProgress(
            patterns: [try TopicPattern("a.>")], start: .latest,
            options: SubscriptionOptions(overflow: .dropOldest, maxRate: 20))
        let first = try request(try steps(&progress, welcome))
        #expect(first.text("overflow") == "drop_oldest" && first.integer("max_rate") == 20)
        progress.maxRate = 5
        _ = try steps(&progress, Self.subscribed, #"{"type":"updated","id":1}"#)
        let second = try request(try steps(&progress, welcome))
        #expect(second.text("overflow") == "drop_oldest" && second.integer("max_rate") == 5)
    }

    @Test func `says its filter with each subscribe, and goes on behind what that left out`() throws
    {
        var progress = SubscriptionProgress(
            patterns: [try TopicPattern("a.>")], start: .latest, filter: "$.a == 1")
        #expect(try request(try steps(&progress, welcome)).text("filter") == "$.a == 1")
        let told = #"{"type":"cursor","cursors":{"a.b":"k3f9-9000"}}"#
        let steps = try steps(&progress, Self.subscribed, event(7), told)
        #expect(
            steps.last
                == .item(
                    .notice(.progress(cursors: ["a.b": "k3f9-9000"]), message: Array(told.utf8))))
        let again = try request(try self.steps(&progress, welcome))
        #expect(again.text("filter") == "$.a == 1")
        #expect(again.object("cursors")?.text("a.b") == "k3f9-9000")
    }

    @Test func `tells the byte at which its filter goes wrong`() throws {
        var progress = try progress()
        _ = try steps(&progress, welcome)
        let refusal =
            #"{"type":"error","id":1,"to":"subscribe","code":"invalid_filter","message":"m","#
            + #""remedy":"r","at":{"byte":8,"field":"filter"}}"#
        let error = #expect(throws: SluiceError.self) { try steps(&progress, refusal) }
        #expect(error == SluiceError(.invalid, code: "invalid_filter", "m", remedy: "r", byte: 8))
    }

    @Test(arguments: ["conflated", "overflow"])
    func `tells what a policy or a rate left out`(reason: String) throws {
        var progress = try progress()
        let steps = try steps(
            &progress,
            #"{"type":"gap","topic":"a.b","from":1,"to":3,"cursor":"k3f9-3","reason":"\#(reason)"}"#
        )
        guard case .item(.notice(let notice, _)) = try #require(steps.first) else {
            Issue.record("\(steps)")
            return
        }
        #expect(notice == .gap(topic: "a.b", from: 1, to: 3, reason: reason))
    }
}
