import EventModel
import MemoryLog
import SessionProtocol
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

    @Test func `tells the head with a condition that does not hold`() async throws {
        let node = try TestNode()
        try await node.publish("a", "1", "2")
        let client = try await TestClient.session(node)
        let old = try await node.cursor("a", 1)
        client.send(
            #"{"type":"publish","id":1,"topic":"a","data":1,"if_head":"\#(old)"}"#)
        guard case .error(let error) = try await client.message() else {
            throw TimedOut(what: "the error")
        }
        #expect(error.code == "head_moved")
        #expect(error.cursor == (try await node.cursor("a", 2)))
    }

    @Test func `answers nobody when the session is over`() async throws {
        let answers = HeldQuestions()
        let node = try TestNode(wrapping: { ObservedLog($0, appends: answers) })
        let client = try await TestClient.session(node)
        client.send(#"{"type":"publish","id":2,"topic":"a","data":2}"#)
        try await eventually("the answer") { answers.count == 1 }
        client.vanish()
        try await eventually("the end") { await node.connectionCount() == 0 }
        answers.answer()
        // What was taken before is appended all the same.
        #expect(try await node.log.describe(try TopicName("a"))?.position.latest == 1)
    }
}
