import AccessControl
import EventModel
import MemoryLog
import Testing

@Suite("A session") struct SessionTests {
    @Test func `delivers what was, says live, and goes on with what comes`() async throws {
        let node = try TestNode()
        try await node.publish("a", "1", "2")
        let client = try await TestClient.session(node)
        client.send(#"{"type":"subscribe","id":1,"topic":"a","from":"earliest"}"#)
        #expect(
            try await client.told(4) == ["subscribed 1 a@0", "a 1 1", "a 2 2", "live 1"])
        try await node.publish("a", "3")
        #expect(try await client.told(1) == ["a 3 3"])
    }

    @Test func `stands beside another one of the same client, at a position of its own`()
        async throws
    {
        let node = try TestNode(
            authenticate: { token, completion in
                completion(.success(Identity(tokenID: token, name: token, expires: nil)))
            })
        try await node.publish("a", "1", "2")
        let old = try await TestClient.session(node, header: "Bearer t")
        let new = try await TestClient.session(node, header: "Bearer t")
        old.send(#"{"type":"subscribe","id":1,"topic":"a","from":"earliest"}"#)
        new.send(#"{"type":"subscribe","id":1,"topic":"a","from":"last:1"}"#)
        #expect(
            try await old.told(4) == ["subscribed 1 a@0", "a 1 1", "a 2 2", "live 1"])
        #expect(try await new.told(3) == ["subscribed 1 a@1", "a 2 2", "live 1"])
        new.send(#"{"type":"unsubscribe","id":1}"#)
        #expect(try await new.told(1) == ["unsubscribed 1"])
        try await node.publish("a", "3")
        #expect(try await old.told(1) == ["a 3 3"])
    }

    @Test func `follows what a pattern matches, and topics that come into being`() async throws {
        let node = try TestNode()
        try await node.publish("o.a", "1")
        let client = try await TestClient.session(node)
        client.send(#"{"type":"subscribe","id":1,"topics":["o.>","new"]}"#)
        #expect(try await client.told(2) == ["subscribed 1 new@null", "live 1"])
        try await node.publish("o.a", "2")
        try await node.publish("o.b", "3")
        try await node.publish("new", "4")
        try await node.publish("other", "5")
        #expect(try await Set(client.told(3)) == ["o.a 2 2", "o.b 1 3", "new 1 4"])
    }

    @Test(arguments: [
        ("latest", ["a@3"]), ("last:1", ["a@2", "a 3 3"]), ("offset:2", ["a@1", "a 2 2", "a 3 3"]),
        ("offset:4", ["a@3"]), ("time:2026-01-01T00:00:00.003Z", ["a@1", "a 2 2", "a 3 3"]),
        ("time:2100-01-01T00:00:00Z", ["a@3"]),
        ("ago:1000000000d", ["a@0", "a 1 1", "a 2 2", "a 3 3"]),
    ]) func `begins where it is told`(from: String, told: [String]) async throws {
        let node = try TestNode()
        for data in ["1", "2", "3"] { try await node.publish("a", data) }
        let client = try await TestClient.session(node)
        client.send(#"{"type":"subscribe","id":1,"topic":"a","from":"\#(from)"}"#)
        let expected = ["subscribed 1 \(told[0])"] + told.dropFirst() + ["live 1"]
        #expect(try await client.told(expected.count) == expected)
    }

    @Test func `goes on in more topics than one message holds`() async throws {
        var limits = Limits()
        limits.topicsPerSubscribeMax = 1000
        let node = try TestNode(limits: limits)
        let count = 1001
        var cursors: [String] = []
        for number in 1...count {
            try await node.publish("t.\(number)", "1", "2")
            cursors.append("\"t.\(number)\":\"\(try await node.cursor("t.\(number)", 1))\"")
        }
        let client = try await TestClient.session(node)
        for part in [cursors[..<600], cursors[600...]] {
            let text = part.joined(separator: ",")
            client.send(#"{"type":"cursors","id":1,"cursors":{\#(text)}}"#)
        }
        client.send(#"{"type":"subscribe","id":1,"topic":"t.>","from":"earliest"}"#)
        #expect(try await client.told(1) == ["subscribed 1"])
        let told = try await Set(client.told(count + 1))
        #expect(told == Set((1...count).map { "t.\($0) 2 2" } + ["live 1"]))
    }

    @Test func `refuses an offset beyond the next`() async throws {
        let node = try TestNode()
        try await node.publish("a", "1")
        let client = try await TestClient.session(node)
        client.send(#"{"type":"subscribe","id":1,"topic":"a","from":"offset:3"}"#)
        #expect(try await client.told(1) == ["error 1 invalid_start"])
        client.send(#"{"type":"subscribe","id":1,"topic":"a"}"#)
        #expect(try await client.told(2) == ["subscribed 1 a@1", "live 1"])
    }

    @Test(arguments: ["a", "missing"])
    func `resets a cursor of another life`(topic: String) async throws {
        let node = try TestNode()
        try await node.publish("a", "1")
        let reset = topic == "a" ? "reset a@0 recreated" : "reset missing@null deleted"
        let delivered = topic == "a" ? ["a 1 1", "live 1"] : ["live 1"]
        for request in [
            #""cursors":{"\#(topic)":"memory0001z-7"}"#, #""from":"after:memory0001z-7""#,
        ] {
            let client = try await TestClient.session(node)
            client.send(#"{"type":"subscribe","id":1,"topic":"\#(topic)",\#(request)}"#)
            let expected = ["subscribed 1 \(topic)@7", reset] + delivered
            #expect(try await client.told(expected.count) == expected)
        }
    }

    @Test func `begins a deleted topic anew when it comes back`() async throws {
        let node = try TestNode()
        try await node.publish("a", "1")
        let client = try await TestClient.session(node)
        client.send(#"{"type":"subscribe","id":1,"topic":"a"}"#)
        _ = try await client.told(2)
        node.log.delete(try TopicName("a"))
        try await node.publish("a", "2")
        #expect(
            try await client.told(3) == ["reset a@null deleted", "reset a@0 recreated", "a 1 2"])
    }

    @Test func `tells that the log is away, and goes on`() async throws {
        let node = try TestNode()
        try await node.publish("a", "1")
        let client = try await TestClient.session(node)
        node.log.setAvailable(false)
        client.send(#"{"type":"subscribe","id":1,"topic":"a"}"#)
        #expect(try await client.told(1) == ["error 1 database_unavailable retry"])
        node.log.setAvailable(true)
        client.send(#"{"type":"subscribe","id":1,"topic":"a"}"#)
        #expect(try await client.told(2) == ["subscribed 1 a@1", "live 1"])
    }

    @Test func `follows a new topic when the log is back`() async throws {
        let node = try TestNode()
        let client = try await TestClient.session(node)
        client.send(#"{"type":"subscribe","id":1,"topic":">"}"#)
        _ = try await client.told(2)
        node.log.createAndSwitchOff(try TopicName("a"))
        try await eventually("the failed follow") {
            node.log.flush()
            return await node.sum { $0.awaitedCount } == 1
        }
        node.log.setAvailable(true)
        try await node.publish("a", "1")
        #expect(try await client.told(1) == ["a 1 1"])
    }

    @Test func `delivers nothing behind unsubscribed`() async throws {
        let node = try TestNode()
        try await node.publish("a", "1", "2")
        let client = try await TestClient.session(node)
        client.send(
            #"{"type":"subscribe","id":1,"topic":"a","from":"earliest"}"#,
            #"{"type":"unsubscribe","id":1}"#)
        var told: [String] = []
        while told.last != "unsubscribed 1" { told += try await client.told(1) }
        #expect(told.first == "subscribed 1 a@0")
        try await node.publish("a", "3")
        client.send(#"{"type":"ping","id":10}"#)
        told = []
        while told.last != "pong 10" { told += try await client.told(1) }
        #expect(told.allSatisfy { $0.hasPrefix("pong") })
    }

    @Test func `leaves nothing when it goes in the middle of subscribing`() async throws {
        let node = try TestNode()
        for topic in ["a", "b"] { try await node.publish(topic, "1") }
        for _ in 0..<20 {
            let client = try await TestClient.session(node)
            client.send(
                #"{"type":"subscribe","id":1,"topic":"a","from":"ago:1m"}"#,
                #"{"type":"subscribe","id":2,"topic":"b","cursors":{"b":"x-9"}}"#,
                #"{"type":"subscribe","id":3,"topics":["c","d"]}"#)
            client.vanish()
        }
        try await eventually("the end of all connections") { await node.connectionCount() == 0 }
        node.log.flush()
        #expect(await node.sum { $0.readerCount(of: "a") + $0.readerCount(of: "b") } == 0)
    }

    @Test func `gives all sessions on all loops the same`() async throws {
        let node = try TestNode(loops: 2)
        var clients: [TestClient] = []
        for _ in 0..<8 {
            clients.append(try await TestClient.session(node))
            clients.last?.send(#"{"type":"subscribe","id":1,"topic":"a"}"#)
        }
        for client in clients { _ = try await client.told(2) }
        let data = (1...200).map { "\($0)" }
        for data in data { try await node.publish("a", data) }
        for client in clients {
            #expect(try await client.told(200) == data.map { "a \($0) \($0)" })
        }
    }

    @Test func `resets only who is above the fork of another incarnation`() async throws {
        let node = try TestNode()
        try await node.publish("a", "1", "2")
        let (above, below) = (
            try await TestClient.session(node), try await TestClient.session(node)
        )
        above.send(#"{"type":"subscribe","id":1,"topic":"a"}"#)
        _ = try await above.told(2)
        try await node.publish("b", "1")
        below.send(#"{"type":"subscribe","id":1,"topic":"b"}"#)
        _ = try await below.told(2)
        node.log.restart(fork: [try TopicName("a"): 1])
        try await node.publish("a", "9")
        #expect(try await above.told(2) == ["reset a@1 restored", "a 2 9"])
        below.send(#"{"type":"ping","id":2}"#)
        #expect(try await below.told(1) == ["pong 2"])
    }
}
