import EventModel
import MemoryLog
import Testing

@testable import Delivery
@testable import FanOut

@Suite("A session's subscription of a pattern") struct PatternTests {
    private static let count = 600

    /// A node with topics of two events each.
    private func node() async throws -> TestNode {
        let node = try TestNode(loops: 2)
        for number in 0..<Self.count { try await node.publish("t.\(number)", "1", "2") }
        return node
    }

    @Test(arguments: [("last:1", 1), ("earliest", 2), ("time:2026-01-01T00:00:00Z", 2)])
    func `begins in the past of each of its topics, and tells what comes meanwhile once`(
        from: String, old: Int
    ) async throws {
        let node = try await node()
        let client = try await TestClient.session(node)
        client.send(#"{"type":"subscribe","id":1,"topic":"t.*","from":"\#(from)"}"#)
        #expect(try await client.told(1) == ["subscribed 1"])
        for number in stride(from: 0, to: Self.count, by: 10) {
            try await node.publish("t.\(number)", "3")
        }
        try await node.publish("t.new", "1")
        let events = Self.count * old + Self.count / 10 + 1
        var told = try await client.told(events + 1)
        #expect(told.count { $0 == "live 1" } == 1)
        told.removeAll { $0 == "live 1" }
        var offsets: [String: [Int]] = [:]
        for line in told {
            let words = line.split(separator: " ").map(String.init)
            offsets[words[0], default: []].append(try #require(Int(words[1])))
        }
        for number in 0..<Self.count {
            let last = number.isMultiple(of: 10) ? 3 : 2
            #expect(offsets["t.\(number)"] == Array((3 - old)...last), "t.\(number)")
        }
        #expect(offsets["t.new"] == [1])
    }

    @Test func `that is live has nothing on its loop for what it matches`() async throws {
        let node = try await node()
        for number in 0..<4 {
            let client = try await TestClient.session(node)
            client.send(#"{"type":"subscribe","id":1,"topic":"t.*"}"#)
            #expect(try await client.told(2) == ["subscribed 1", "live 1"])
            if number == 0 { try await node.publish("t.1", "3") }
        }
        #expect(node.hub.followedCount == 0)
        let feeds = await node.sum { loop in
            (0..<Self.count).count { number in
                (try? TopicName("t.\(number)")).flatMap { loop.shard.feed(of: $0) } != nil
            }
        }
        #expect(feeds <= 1)
    }
}
