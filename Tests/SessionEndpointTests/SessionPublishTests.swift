import EventModel
import MemoryLog
import Synchronization
import Testing

@Suite("Publishing in a session") struct SessionPublishTests {
    @Test func `keeps the order in which it was sent, past a condition's question`() async throws {
        let node = try TestNode()
        try await node.publish("a", "1")
        let client = try await TestClient.session(node)
        client.send(#"{"type":"subscribe","id":1,"topic":"a"}"#)
        _ = try await client.told(2)
        let head = try await node.cursor("a", 1)
        client.send(
            #"{"type":"publish","id":2,"topic":"a","data":"x","if_head":"\#(head)"}"#,
            #"{"type":"publish","id":3,"topic":"a","data":"y"}"#,
            #"{"type":"publish","id":4,"topic":"a","data":"z","if_head":"\#(head)"}"#)
        let told = try await client.told(5)
        let events = told.filter { $0.hasPrefix("a ") }
        #expect(events == [#"a 2 "x""#, #"a 3 "y""#])
        #expect(
            told.filter { !events.contains($0) }
                == ["published 2 2", "published 3 3", "error 4 head_moved"])
    }

    @Test func `refuses reserved topics and heads that are not`() async throws {
        let node = try TestNode()
        let client = try await TestClient.session(node)
        client.send(#"{"type":"publish","id":1,"topic":"sluice.x","data":1}"#)
        #expect(try await client.told(1) == ["error 1 forbidden"])
        client.send(#"{"type":"publish","id":2,"topic":"a","data":1,"if_head":"x-1"}"#)
        #expect(try await client.told(1) == ["error 2 head_moved"])
    }

    @Test func `bounds what waits behind a condition`() async throws {
        let questions = HeldQuestions()
        var limits = Limits()
        limits.messageBytesMax = 64 << 10
        let node = try TestNode(limits: limits, wrapping: { ObservedLog($0, questions) })
        let client = try await TestClient.session(node)
        client.send(#"{"type":"publish","id":1,"topic":"a","data":1,"if_head":"x-1"}"#)
        let data = String(repeating: "x", count: 40 << 10)
        for id in 2...40 {
            client.send(#"{"type":"publish","id":\#(id),"topic":"a","data":"\#(data)"}"#)
        }
        // 1 MiB holds 25 of them.
        let refused = try await client.told(14)
        #expect(refused.allSatisfy { $0.hasSuffix("publisher_overloaded retry") })
        questions.answer()
        let told = try await client.told(26)
        #expect(told[0] == "error 1 head_moved")
        #expect(told.dropFirst() == (1...25).map { "published \($0 + 1) \($0)" }[...])
    }

    @Test func `answers nobody when the session is over`() async throws {
        let questions = HeldQuestions()
        let node = try TestNode(wrapping: { ObservedLog($0, questions) })
        let client = try await TestClient.session(node)
        client.send(
            #"{"type":"publish","id":1,"topic":"a","data":1,"if_head":"x-1"}"#,
            #"{"type":"publish","id":2,"topic":"a","data":2}"#)
        try await eventually("the question") { questions.count == 1 }
        client.vanish()
        try await eventually("the end") { await node.connectionCount() == 0 }
        questions.answer()
        // What was taken before is appended all the same.
        try await eventually("the append") {
            try await node.log.describe(try TopicName("a"))?.position.latest == 1
        }
    }
}
