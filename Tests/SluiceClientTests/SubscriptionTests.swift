import Testing

@testable import SluiceClient

private let welcome = """
    {"type":"welcome","protocol":"sluice.v1","session":"s_1","node":"n","version":"1",\
    "time":"2026-01-01T00:10:00.000000Z","heartbeat_ms":20000,"expires":null,"limits":{\
    "message_bytes":1,"event_bytes":1,"subscriptions":1,"topics_per_subscribe":1,"filter_bytes":1}}
    """
private let subscribed = #"{"type":"subscribed","id":1,"topics":{}}"#

private func event(_ offset: Int, _ topic: String = "a.b") -> String {
    #"{"type":"event","topic":"\#(topic)","offset":\#(offset),"cursor":"k3f9-\#(offset)","#
        + #""time":"2026-01-01T00:10:01.000000Z","data":\#(offset)}"#
}

extension SubscriptionItem {
    fileprivate var offset: Int64? {
        if case .event(let event) = self { event.offset } else { nil }
    }
}

@Suite("Iterating over a subscription") struct SubscriptionTests {
    /// Says these messages at once, each time that a client has subscribed.
    private func broker(_ messages: String...) async throws -> ScriptedBroker {
        try await broker(messages)
    }

    private func broker(_ messages: [String]) async throws -> ScriptedBroker {
        try await ScriptedBroker.start { input in
            switch input {
            case .opened: .messages([welcome])
            case .message: .messages(messages)
            case .request: .answer(status: "404 Not Found", json: "{}")
            }
        }
    }

    private func iterator(_ broker: ScriptedBroker) throws -> Subscription.Iterator {
        try broker.client().subscribe(to: ["a.>"]).makeAsyncIterator()
    }

    private static let refusal =
        #"{"type":"error","id":1,"to":"subscribe","code":"forbidden","message":"m","remedy":"r"}"#

    @Test func `gives out all that came before a final error, then the error, and nothing more`()
        async throws
    {
        let broker = try await broker(subscribed, event(1), event(2), Self.refusal)
        var iterator = try iterator(broker)
        var offsets: [Int64] = []
        for _ in 0..<3 {
            if let offset = try await iterator.next()?.offset { offsets.append(offset) }
        }
        #expect(offsets == [1, 2])
        for _ in 0..<2 {
            let error = await #expect(throws: SluiceError.self) { try await iterator.next() }
            #expect(error == SluiceError(.refused, code: "forbidden", "m", remedy: "r"))
        }
        #expect(broker.inputs.count { $0 == .opened(connection: 1) } == 1)
    }

    @Test func `gives out all that came before an error that passes, and connects again`()
        async throws
    {
        let busy =
            #"{"type":"error","id":1,"to":"subscribe","code":"database_unavailable","#
            + #""message":"m","remedy":"r","retry_after_ms":1}"#
        let broker = try await broker(subscribed, event(1), busy)
        var iterator = try iterator(broker)
        var items: [SubscriptionItem] = []
        while items.count < 4, let batch = try await iterator.nextBatch() { items += batch }
        #expect(items.count == 6)
        #expect(items.compactMap(\.offset) == [1, 1])
        try await broker.received(.opened(connection: 2))
    }

    @Test func `gives out the messages of an array one by one`() async throws {
        let broker = try await broker("[\(subscribed),\(event(1))]", event(2), "[\(event(3))]")
        var iterator = try broker.client().subscribe(
            to: ["a.>"], options: SubscribeOptions(isBatched: true)
        ).makeAsyncIterator()
        var items: [SubscriptionItem] = []
        while items.count < 4, let item = try await iterator.next() { items.append(item) }
        #expect(items.map(\.offset) == [nil, 1, 2, 3])
        guard case .event(let first) = items[1] else { return }
        #expect(String(decoding: first.message, as: UTF8.self) == event(1))
        #expect(RequestTarget.connect(isBatched: true).text == "/v1/connect?batch=1")
    }

    @Test func `goes on after a cancelled wait, in another task`() async throws {
        let broker = try await broker(subscribed, event(1))
        var iterator = try iterator(broker)
        while try await iterator.next()?.offset != 1 {}
        let cancelled = Task { [iterator] in
            var iterator = iterator
            return try await iterator.next()
        }
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        try await broker.send([event(2)], connection: 1)
        #expect(try await iterator.next()?.offset == 2)
    }

    @Test func `answers the broker's close, and leaves it to the broker to end the connection`()
        async throws
    {
        let broker = try await broker(subscribed, event(1))
        var iterator = try iterator(broker)
        while try await iterator.next()?.offset != 1 {}
        try await broker.sendClose(4001, connection: 1)
        // It does not wait for that before it connects again.
        while try await iterator.next()?.offset != 1 {}
        #expect(broker.ends == [.closeFrame(code: 4001, connection: 1)])
        try await broker.close(connection: 1)
        try await eventually("the end") { broker.ends.count == 2 }
        #expect(broker.ends.last == .connection(1))
    }

    @Test func `grants credit for what was taken, not for what has arrived`() async throws {
        let broker = try await ScriptedBroker.start { input in
            switch input {
            case .opened: .messages([welcome])
            case .message(let text, _) where text.contains("subscribe"):
                .messages([subscribed] + (1...4).map { event($0) })
            case .message, .request: .silence
            }
        }
        var iterator = try broker.client().subscribe(
            to: ["a.>"], options: SubscribeOptions(credit: 4)
        ).makeAsyncIterator()
        while try await iterator.next()?.offset != 1 {}
        #expect(broker.messages(connection: 1) == ["subscribe"])
        while try await iterator.next()?.offset != 2 {}
        try await broker.received(
            .message(#"{"type":"credit","id":1,"events":2}"#, connection: 1))
    }

    @Test func `changes its rate while it waits, and keeps it on the next connection`()
        async throws
    {
        let broker = try await ScriptedBroker.start { input in
            switch input {
            case .opened: .messages([welcome])
            case .message(let text, _) where text.contains("subscribe"): .messages([subscribed])
            case .message, .request: .silence
            }
        }
        let subscription = try broker.client().subscribe(
            to: ["a.>"], options: SubscribeOptions(maxRate: 20))
        let iteration = Task { for try await _ in subscription {} }
        defer { iteration.cancel() }
        try await eventually("a subscribe") { !broker.messages(connection: 1).isEmpty }
        try subscription.update(maxRate: 5)
        try await broker.received(
            .message(#"{"type":"update","id":1,"max_rate":5}"#, connection: 1))
        try subscription.update(maxRate: nil)
        try await broker.received(
            .message(#"{"type":"update","id":1,"max_rate":null}"#, connection: 1))
        try await broker.close(connection: 1)
        try await eventually("another subscribe") { !broker.messages(connection: 2).isEmpty }
        #expect(broker.saidLast(connection: 2).map { !$0.contains("max_rate") } == true)
    }

    @Test(arguments: [
        SubscribeOptions(maxRate: 0), SubscribeOptions(credit: 0), SubscribeOptions(credit: .max),
    ])
    func `does not begin with numbers that a broker would refuse`(options: SubscribeOptions)
        async throws
    {
        let client = try await broker().client()
        let error = #expect(throws: SluiceError.self) {
            try client.subscribe(to: ["a"], options: options)
        }
        #expect(error?.kind == .invalid)
        let subscription = try client.subscribe(to: ["a"])
        #expect(throws: SluiceError.self) { try subscription.update(maxRate: 0) }
    }

    @Test func `says goodbye when it is let go, though nobody took what came`() async throws {
        let many = (1...40_000).map { event($0) }
        let broker = try await broker([subscribed] + many)
        var iterator: Subscription.Iterator? = try iterator(broker)
        _ = try await iterator?.next()
        iterator = nil
        try await eventually("a close frame") {
            broker.ends.contains(.closeFrame(code: 1000, connection: 1))
        }
    }

    @Test func `says where it goes on, however slowly that is taken`() async throws {
        let topics = (0..<4000).map { "a.\(String(repeating: "x", count: 180))\($0)" }
        let broker = try await ScriptedBroker.start { input in
            switch input {
            case .opened: .messages([welcome])
            case .message(_, connection: 1): .messages([subscribed] + topics.map { event(1, $0) })
            case .message, .request: .silence
            }
        }
        var iterator = try iterator(broker)
        for _ in 0...topics.count { _ = try await iterator.next() }
        try await broker.close(connection: 1)
        let resumed = Task { [iterator] in
            var iterator = iterator
            while try await iterator.next() != nil {}
        }
        defer { resumed.cancel() }
        // The subscription, then each topic's cursor and the subscribe behind them.
        try await eventually("a subscribe") { broker.inputs.count == topics.count + 4 }
        let said = broker.messages(connection: 2)
        #expect(said.dropLast() == topics.map { _ in "cursors" }[...])
        #expect(said.last == "subscribe")
    }

    /// Says that what is asked for stands, and an event of it.
    private func answering() async throws -> ScriptedBroker {
        try await ScriptedBroker.start { input in
            switch input {
            case .opened: return .messages([welcome])
            case .message(let text, _):
                guard let fields = try? JSONFields(Array(text.utf8)), let id = fields.integer("id"),
                    fields.text("type") == "subscribe", let topic = fields.text("topic")
                else { return .silence }
                let name = topic.replacing(">", with: "x")
                return .messages([
                    #"{"type":"subscribed","id":\#(id),"topics":{}}"#, event(1, name),
                ])
            case .request: return .silence
            }
        }
    }

    @Test func `shares its connection with the others of its client`() async throws {
        let broker = try await answering()
        let client = try broker.client()
        var first = try client.subscribe(to: ["a.>"]).makeAsyncIterator()
        var second = try client.subscribe(to: ["b.>"]).makeAsyncIterator()
        while try await first.next()?.event?.topic != "a.x" {}
        while try await second.next()?.event?.topic != "b.x" {}
        #expect(broker.messages(connection: 1) == ["subscribe", "subscribe"])
        try await broker.send([event(2, "b.x"), event(2, "a.x")], connection: 1)
        #expect(try await second.next()?.offset == 2)
        #expect(try await first.next()?.event?.topic == "a.x")
    }

    @Test func `has a connection of its own where it overlaps another one`() async throws {
        let broker = try await answering()
        let client = try broker.client()
        var first = try client.subscribe(to: ["a.>"]).makeAsyncIterator()
        var second = try client.subscribe(to: ["a.x"]).makeAsyncIterator()
        while try await first.next()?.offset != 1 {}
        while try await second.next()?.offset != 1 {}
        #expect(broker.messages(connection: 1) == ["subscribe"])
        #expect(broker.messages(connection: 2) == ["subscribe"])
    }

    @Test func `goes on beside one that nobody takes from`() async throws {
        let broker = try await answering()
        let client = try broker.client()
        var slow = try client.subscribe(to: ["a.>"]).makeAsyncIterator()
        var fast = try client.subscribe(to: ["b.>"]).makeAsyncIterator()
        while try await slow.next()?.offset != 1 {}
        while try await fast.next()?.offset != 1 {}
        let data = String(repeating: "1", count: 1 << 20)
        for offset in 2...6 {
            let large =
                #"{"type":"event","topic":"a.x","offset":\#(offset),"cursor":"k3f9-\#(offset)","#
                + #""time":"2026-01-01T00:10:01.000000Z","data":\#(data)}"#
            try await broker.send([large], connection: 1)
        }
        try await broker.send([event(2, "b.x")], connection: 1)
        #expect(try await fast.next()?.offset == 2)
        try await broker.received(.message(#"{"type":"unsubscribe","id":1}"#, connection: 1))
    }

    @Test func `leaves the others alone when it is let go`() async throws {
        let broker = try await answering()
        let client = try broker.client()
        var first: Subscription.Iterator? = try client.subscribe(to: ["a.>"]).makeAsyncIterator()
        var second = try client.subscribe(to: ["b.>"]).makeAsyncIterator()
        while try await first?.next()?.offset != 1 {}
        while try await second.next()?.offset != 1 {}
        first = nil
        try await broker.received(.message(#"{"type":"unsubscribe","id":1}"#, connection: 1))
        try await broker.send([event(2, "b.x")], connection: 1)
        #expect(try await second.next()?.offset == 2)
    }

    @Test func `goes on in a session of its own where the broker would not have it beside others`()
        async throws
    {
        let broker = try await ScriptedBroker.start { input in
            switch input {
            case .opened: .messages([welcome])
            case .message(let text, connection: 1) where text.contains("\"b.>\""):
                .messages([
                    #"{"type":"error","id":2,"to":"subscribe","code":"subscription_limit","#
                        + #""message":"m","remedy":"r"}"#
                ])
            case .message(_, connection: 1): .messages([subscribed, event(1)])
            case .message:
                .messages([#"{"type":"subscribed","id":2,"topics":{}}"#, event(1, "b.x")])
            case .request: .silence
            }
        }
        let client = try broker.client()
        var first = try client.subscribe(to: ["a.>"]).makeAsyncIterator()
        while try await first.next()?.offset != 1 {}
        var second = try client.subscribe(to: ["b.>"]).makeAsyncIterator()
        while try await second.next()?.offset != 1 {}
        #expect(broker.messages(connection: 2) == ["subscribe"])
        try await broker.send([event(2)], connection: 1)
        #expect(try await first.next()?.offset == 2)
    }
}
