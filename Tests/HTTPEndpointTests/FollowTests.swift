import AccessControl
import EventModel
import MemoryLog
import NIOHTTP1
import RawClient
import Testing

@testable import Delivery
@testable import HTTPEndpoint

@Suite("Following a topic over HTTP") struct FollowTests {
    private let path = "/v1/topics/a/events?follow"

    @Test func `gives what is kept and then what comes, a line each`() async throws {
        let node = try FollowedNode()
        try await node.publish("a", ["1.00", #"{ "b" : 2 }"#])
        let follower = try node.follow(path + "&from=earliest")
        #expect(follower.head.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(follower.head.contains("\r\ncontent-type: application/x-ndjson\r\n"))
        #expect(follower.head.contains("\r\ncache-control: no-store\r\n"))
        let kept = try follower.lines(upTo: #""offset":2,"#)
        #expect(kept.count == 2)
        #expect(kept[0].hasPrefix(#"{"type":"event","topic":"a","offset":1,"cursor":""#))
        #expect(kept[0].hasSuffix(#""data":1.00}"#))
        #expect(kept[1].hasSuffix(#""data":{ "b" : 2 }}"#))
        try await node.publish("a", ["3"])
        let live = try follower.lines(upTo: #""offset":3,"#)
        #expect(live.last?.hasSuffix(#""data":3}"#) == true)
    }

    @Test func `begins behind the newest event, with whatever is acknowledged after the head`()
        async throws
    {
        let node = try FollowedNode()
        try await node.publish("a", ["1"])
        let follower = try node.follow(path + "=true")
        try await node.publish("a", ["2"])
        let lines = try follower.lines(upTo: #""type":"event""#)
        #expect(lines.last?.hasSuffix(#""data":2}"#) == true)
    }

    @Test func `takes a topic that is not created yet`() async throws {
        let node = try FollowedNode()
        let follower = try node.follow(path)
        try await node.publish("a", ["1"])
        #expect(try follower.lines(upTo: "event").last?.contains(#""offset":1,"#) == true)
    }

    @Test func `goes on behind a cursor, and tells what is gone`() async throws {
        let node = try FollowedNode()
        try await node.publish("a", (1...9).map(String.init))
        let first = try node.follow(path + "&from=earliest")
        let third = try #require(try first.lines(upTo: #""offset":3,"#).last)
        let cursor = try #require(
            third.split(separator: #""cursor":""#).last?.prefix { $0 != "\"" })
        let second = try node.follow(path + "&from=after:\(cursor)")
        #expect(try second.lines(upTo: "event").last?.contains(#""offset":4,"#) == true)
        node.log.purge(try TopicName("a"), below: 7)
        let third2 = try node.follow(path + "&from=after:\(cursor)")
        let lines = try third2.lines(upTo: #""type":"event""#)
        let gap = try #require(lines.first { $0.contains(#""type":"gap""#) })
        #expect(gap.contains(#""from":4,"to":6"#))
        #expect(lines.last?.contains(#""offset":7,"#) == true)
    }

    @Test func `is paced by who reads: it lags, and gets everything`() async throws {
        var limits = Limits()
        limits.backlogBytesMax = 64 << 10
        let node = try FollowedNode(limits: limits)
        let follower = try node.follow(path)
        // A topic that is new does not lag until it was live.
        try await node.publish("a", ["0"])
        _ = try follower.lines(upTo: #""offset":1,"#)
        let data = String(repeating: "x", count: 32 << 10)
        for number in 2...400 { try await node.publish("a", ["\"\(number)\(data)\""]) }
        let lines = try follower.lines(upTo: #""offset":400,"#)
        #expect(lines.contains { $0.contains(#""type":"lagging""#) })
        let offsets = lines.filter { $0.contains(#""type":"event""#) }.compactMap { line in
            line.split(separator: #""offset":"#).dropFirst().first?.prefix { $0 != "," }
        }
        #expect(offsets == (2...400).map { Substring("\($0)") })
    }

    @Test func `tells that the broker goes down, and ends the body`() async throws {
        let node = try FollowedNode()
        let follower = try node.follow(path)
        node.hub.forEachLoop { $0.drain(reconnectWithin: .seconds(4)) }
        let closing = try #require(try follower.lines(upTo: "closing").last)
        #expect(closing.contains(#""type":"closing""#) && closing.contains(#""code":4001"#))
        #expect(closing.contains(#""reconnect_after_ms":"#))
        #expect(try follower.line() == nil)
        #expect(try follower.client.receive().isEmpty)
    }

    @Test func `ends with the token that it stands on`() async throws {
        let node = try FollowedNode(authenticate: { token, completion in
            completion(
                token == "good"
                    ? .success(Identity(tokenID: "t1", name: "n", expires: nil))
                    : .failure(BrokerError(.unauthorized, "The token is not known.")))
        })
        let refused = try node.follow(path, "Authorization: Bearer bad\r\n")
        #expect(refused.head.hasPrefix("HTTP/1.1 401 "))
        let follower = try node.follow(path, "Authorization: Bearer good\r\n")
        node.hub.forEachLoop { $0.end(tokens: ["t1"]) }
        #expect(try follower.lines(upTo: "closing").last?.contains("token_revoked") == true)
        #expect(try follower.line() == nil)
    }

    @Test func `keeps quiet streams alive with heartbeats`() async throws {
        var limits = Limits()
        limits.heartbeatInterval = .seconds(1)
        let node = try FollowedNode(limits: limits)
        let follower = try node.follow(path)
        #expect(try follower.line() == #"{"type":"live"}"#)
        #expect(try follower.line()?.contains(#""type":"heartbeat""#) == true)
    }

    @Test func `leaves nothing behind when the client goes`() async throws {
        let node = try FollowedNode()
        let follower = try node.follow(path)
        #expect(node.connectionCount == 1)
        follower.client.reset()
        let deadline = ContinuousClock.now + .seconds(20)
        while node.connectionCount > 0, ContinuousClock.now < deadline {
            try await Task.sleep(for: .milliseconds(1))
        }
        #expect(node.connectionCount == 0)
    }

    @Test(arguments: [
        ("follow=maybe", "invalid_request"), ("follow&limit=3", "invalid_request"),
        ("follow&follow", "unknown_field"), ("follow&batch=1", "unknown_field"),
        ("follow&from=never", "invalid_start"), ("follow&overflow=explode", "invalid_request"),
    ]) func `is refused with what is wrong`(query: String, code: String) async throws {
        let answer = try await BrokerFixture().ask(.GET, "/v1/topics/a/events?\(query)")
        #expect(answer.code == code)
    }

    @Test func `is offered as lines or server-sent events, and 'false' is a page`() async throws {
        let fixture = BrokerFixture()
        let json: HTTPHeaders = ["accept": "application/json"]
        let refused = try await fixture.ask(.GET, "/v1/topics/a/events?follow", json)
        #expect(refused.status == 406)
        #expect(refused.body.contains("application/x-ndjson or text/event-stream"))
        let page = try await fixture.ask(.GET, "/v1/topics/a/events?follow=false", json)
        #expect(page.code == "topic_not_found")
        let none = try await fixture.ask(
            .GET, "/v1/topics/a/events?follow=false", ["accept": "text/event-stream"])
        #expect(none.status == 406)
    }
}
