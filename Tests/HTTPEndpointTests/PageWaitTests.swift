import AccessControl
import EventModel
import MemoryLog
import RawClient
import Testing

@testable import Delivery
@testable import HTTPEndpoint

@Suite("A page over HTTP that waits for events") struct PageWaitTests {
    private let topic: TopicName

    init() throws { topic = try TopicName("a") }

    @Test func `is answered at once when there is something`() async throws {
        let node = try FollowedNode()
        try await node.publish("a", ["1", "2"])
        let page = try node.ask("from=earliest&wait=60s").answer()
        #expect(page.status == 200 && page.offsets == ["1", "2"])
        #expect(page.head.contains("limit=100&wait=1m>; rel=\"next\""))
        #expect(try await node.waitingCount == 0)
    }

    @Test func `is answered with the events that come, and goes on behind them`() async throws {
        let node = try FollowedNode()
        try await node.publish("a", ["1"])
        var client = try await node.wait("from=latest&wait=60s")
        for offset in 2...4 {
            try await node.publish("a", ["\(offset).0"])
            let page = try client.answer()
            #expect(page.status == 200 && page.offsets == ["\(offset)"])
            #expect(page.body.contains(#""data":\#(offset).0}"#) && page.isCaughtUp)
            #expect(page.body.contains(#""earliest":1,"latest":\#(offset),"#))
            let cursor = try #require(page.cursor)
            client = try await node.wait("from=after:\(cursor)&wait=60s")
        }
    }

    @Test func `misses nothing that is appended while it begins`() async throws {
        let node = try FollowedNode()
        try await node.publish("a", ["0"])
        var cursor = try #require(try node.ask("from=latest").answer().cursor)
        for number in 1...100 {
            let client = try node.ask("from=after:\(cursor)&wait=60s")
            try await node.publish("a", ["\(number)"])
            let page = try client.answer()
            #expect(page.body.contains(#""data":\#(number)}"#))
            cursor = try #require(page.cursor)
        }
    }

    @Test func `is empty when the time is over, behind what a filter left out`() async throws {
        let node = try FollowedNode()
        try await node.publish("a", ["1"])
        let empty = try node.ask("from=latest&wait=1ms").answer()
        #expect(empty.status == 200 && empty.offsets.isEmpty && empty.isCaughtUp)
        #expect(empty.cursor?.hasSuffix("-1") == true)
        let filtered = try await node.wait("from=latest&wait=1s&filter=$==9")
        try await node.publish("a", ["2", "3"])
        let page = try filtered.answer()
        #expect(page.offsets.isEmpty && page.isCaughtUp)
        #expect(page.cursor?.hasSuffix("-3") == true)
    }

    @Test func `is answered only with what its filter lets through`() async throws {
        let node = try FollowedNode()
        try await node.publish("a", ["1"])
        let client = try await node.wait("from=latest&wait=60s&filter=$==3")
        try await node.publish("a", ["2"])
        try await node.publish("a", ["3", "4"])
        let page = try client.answer()
        #expect(page.offsets == ["3"] && page.cursor?.hasSuffix("-4") == true)
        #expect(page.isCaughtUp)
    }

    @Test func `waits for a topic to be created, unless it has a cursor of one`() async throws {
        let node = try FollowedNode()
        let client = try await node.wait("from=latest&wait=60s")
        try await node.publish("a", ["1"])
        #expect(try client.answer().offsets == ["1"])
        let none = try node.ask("from=after:k-1&wait=60s", "").answer()
        #expect(none.status == 200 && none.body.contains(#""reset":{"cursor":"#))
        node.log.delete(topic)
        let gone = try node.ask("from=after:k-1&wait=60s").answer()
        #expect(gone.status == 404 && gone.body.contains("topic_not_found"))
        let never = try node.ask("wait=1ms").answer()
        #expect(never.status == 404 && never.body.contains("topic_not_found"))
    }

    @Test func `tells what happens instead: a reset, a gap, the end of the topic`() async throws {
        let node = try FollowedNode()
        try await node.publish("a", ["1", "2", "3"])
        let restarted = try await node.wait("from=latest&wait=60s")
        node.log.restart(fork: [topic: 2])
        let reset = try restarted.answer()
        #expect(reset.body.contains(#""reason":"restored""#))
        let deleted = try await node.wait("from=latest&wait=60s")
        node.log.delete(topic)
        #expect(try deleted.answer().status == 404)
    }

    @Test func `of an ephemeral topic has the events that were kept nowhere`() async throws {
        let node = try FollowedNode()
        var settings = TopicSettings()
        settings.isDurable = false
        _ = try await node.log.create(topic, settings: settings)
        let client = try await node.wait("from=latest&wait=60s")
        try await node.publish("a", ["1"])
        #expect(try client.answer().offsets == ["1"])
        let behind = try await node.wait("from=latest&wait=60s")
        node.log.skip(topic)
        try await node.publish("a", ["3"])
        #expect(try behind.answer().body.contains(#""reason":"ephemeral""#))
    }

    @Test func `ends with what there is when the broker goes down`() async throws {
        let node = try FollowedNode()
        try await node.publish("a", ["1"])
        let client = try await node.wait("from=latest&wait=60s")
        node.hub.forEachLoop { $0.drain(reconnectWithin: .seconds(4)) }
        let page = try client.answer()
        #expect(page.status == 200 && page.isCaughtUp)
    }

    @Test func `is refused when its token is revoked`() async throws {
        let node = try FollowedNode(authenticate: { _, completion in
            completion(.success(Identity(tokenID: "t1", name: "n", expires: nil)))
        })
        try await node.publish("a", ["1"])
        let client = try await node.wait(
            "from=latest&wait=60s", "Authorization: Bearer good\r\n")
        node.hub.forEachLoop { $0.end(tokens: ["t1"]) }
        let refused = try client.answer()
        #expect(refused.status == 401 && refused.body.contains("token_revoked"))
    }

    @Test func `leaves nothing behind when the client goes`() async throws {
        let node = try FollowedNode()
        try await node.publish("a", ["1"])
        for leave in [{ $0.client.reset() }, { $0.client.close() }] as [(PageClient) -> Void] {
            leave(try await node.wait("from=latest&wait=60s"))
            try await node.becomes(waiting: 0)
        }
        let half = try await node.wait("from=latest&wait=60s")
        half.client.endOutput()
        #expect(try half.answer().isCaughtUp)
    }

    @Test func `is held by many at once, who are all answered`() async throws {
        let node = try FollowedNode()
        try await node.publish("a", ["1"])
        let cursor = try #require(try node.ask("from=latest").answer().cursor)
        let clients = try (1...200).map { _ in try node.ask("from=after:\(cursor)&wait=60s") }
        try await node.becomes(waiting: 200)
        #expect(node.hub.followedCount == 1)
        try await node.publish("a", ["2"])
        for client in clients { #expect(try client.answer().offsets == ["2"]) }
        #expect(try await node.waitingCount == 0)
    }
}
