import AccessControl
import Delivery
import EventModel
import MemoryLog
import NIOHTTP1
import RawClient
import SessionProtocol
import Testing

@testable import HTTPEndpoint

@Suite("Following several topics over HTTP") struct TopicsFollowTests {
    private let path = "/v1/events?topic=a&topic=b.%3E"
    private let accept = "Accept: text/event-stream\r\n"

    @Test func `gives what is kept and then what comes, a message a line`() async throws {
        let node = try FollowedNode()
        try await node.publish("a", ["1"])
        try await node.publish("b.x", [#"{ "y":\#n2 }"#])
        try await node.publish("c", ["3"])
        let follower = try node.follow(path + "&from=earliest")
        #expect(follower.head.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(follower.head.contains("\r\ncontent-type: application/x-ndjson\r\n"))
        #expect(follower.head.contains("\r\nsluice-resume-from: at:1~mark:earliest."))
        let kept = try follower.lines(upTo: #""type":"live""#)
        #expect(kept.count == 3)
        #expect(kept.contains { $0.hasSuffix(#""data":1}"#) })
        // A record is one line.
        #expect(kept.contains { $0.hasSuffix(#""data":{ "y": 2 }}"#) })
        try await node.publish("b.new", ["4"])
        #expect(try follower.line()?.contains(#""topic":"b.new","offset":1,"#) == true)
    }

    @Test func `takes topics that are named twice once, and begins at 'latest'`() async throws {
        let node = try FollowedNode()
        try await node.publish("b.x", ["1"])
        let follower = try node.follow("/v1/events?topic=b.x&topic=b.%3E&topic=b.x")
        try await node.publish("b.x", ["2", "3"])
        let lines = try follower.lines(upTo: #""offset":3,"#)
        #expect(lines.filter { $0.contains(#""type":"event""#) }.count == 2)
    }

    @Test func `delivers whatever is acknowledged after the head`() async throws {
        let node = try FollowedNode()
        for number in 0..<20 {
            let follower = try node.follow("/v1/events?topic=b.*")
            try await node.publish("b.\(number % 3)", ["\(number)"])
            let line = try follower.lines(upTo: #""type":"event""#).last
            #expect(line?.hasSuffix(#""data":\#(number)}"#) == true)
        }
    }

    @Test func `has ids from which it goes on exactly, in all topics`() async throws {
        let node = try FollowedNode()
        try await node.publish("a", ["1"])
        let first = try node.follow(path, accept)
        let opening = try first.block()
        #expect(opening.first == "retry: 2000")
        #expect(opening.last?.hasPrefix("id: at:1~mark:latest.") == true)
        _ = try first.block()
        try await node.publish("b.y", ["1"])
        let event = try first.block()
        #expect(event.count == 2 && event[1].contains(#""topic":"b.y","offset":1,"#))
        let id = try #require(event.first?.dropFirst("id: ".count))
        let position = try StreamPosition(String(id), field: "id")
        #expect(Set(position.cursors.keys.map(\.text)) == ["a", "b.y"])
        // Cut here; what comes meanwhile comes once.
        try await node.publish("a", ["2"])
        try await node.publish("b.y", ["2"])
        try await node.publish("b.z", ["1"])
        let second = try node.follow(path + "&from=latest", accept + "Last-Event-ID: \(id)\r\n")
        #expect(try second.block() == ["retry: 2000", "id: \(id)"])
        var seen: Set<String> = []
        var last = ""
        while seen.count < 3 {
            let block = try second.block()
            guard let name = topic(of: block) else { continue }
            let isNew = seen.insert(name).inserted
            #expect(isNew, "\(name)")
            last = String(try #require(block.first).dropFirst("id: ".count))
        }
        #expect(seen == ["a 2", "b.y 2", "b.z 1"])
        // Everything is consumed.
        let third = try node.follow(path + "&from=\(last)", accept)
        #expect(try third.block() == ["retry: 2000", "id: \(last)"])
        #expect(try third.block() == [#"data: {"type":"live"}"#])
    }

    private func topic(of block: [String]) -> String? {
        guard let data = block.last?.dropFirst("data: ".count),
            case .event(let message) = try? BrokerMessage.decode(Array(data.utf8))
        else { return nil }
        return "\(message.topic) \(message.event.offset)"
    }

    @Test func `moves the id behind a gap, and forgets a topic that is gone`() async throws {
        let node = try FollowedNode()
        try await node.publish("a", ["1", "2", "3"])
        let first = try node.follow(path + "&from=earliest", accept)
        _ = try first.block()
        let id = try #require(try first.block().first?.dropFirst("id: ".count))
        node.log.purge(try TopicName("a"), below: 3)
        let second = try node.follow(path, accept + "Last-Event-ID: \(id)\r\n")
        _ = try second.block()
        let gap = try second.block()
        #expect(gap.last?.contains(#""type":"gap","topic":"a","from":2,"to":2"#) == true)
        let behind = try StreamPosition(String(gap[0].dropFirst("id: ".count)), field: "id")
        #expect(behind.cursors[try TopicName("a")]?.offset == 2)
        _ = try second.block()
        _ = try await node.log.delete(try TopicName("a"), ifRevision: nil)
        var reset: [String] = []
        while reset.last?.contains("reset") != true { reset = try second.block() }
        let gone = try StreamPosition(String(reset[0].dropFirst("id: ".count)), field: "id")
        #expect(gone.cursors.isEmpty)
    }

    @Test func `goes on from the head's position and the cursors of messages`() async throws {
        let node = try FollowedNode()
        let first = try node.follow(path)
        let position = try #require(
            first.head.split(separator: "\r\n").first { $0.hasPrefix("sluice-resume-from: ") }?
                .dropFirst("sluice-resume-from: ".count))
        try await node.publish("b.x", ["1", "2"])
        let line = try #require(try first.lines(upTo: #""offset":1,"#).last)
        guard case .event(let message) = try BrokerMessage.decode(Array(line.utf8)) else { return }
        try await node.publish("b.y", ["1"])
        let second = try node.follow(
            path + "&from=\(position)&cursor=b.x:\(message.cursor)")
        let lines = try second.lines(upTo: #""type":"live""#)
        #expect(lines.count == 3)
        #expect(lines.contains { $0.contains(#""topic":"b.x","offset":2,"#) })
        #expect(lines.contains { $0.contains(#""topic":"b.y","offset":1,"#) })
    }

    @Test func `is refused with what is wrong`() async throws {
        let fixture = BrokerFixture()
        for (query, code) in [
            ("", "invalid_request"), ("?topic=a..b", "invalid_pattern"),
            ("?topic=a&topic=b&from=offset:1", "invalid_start"),
            ("?topic=a&limit=3", "unknown_field"), ("?topic=a&view=x", "invalid_request"),
        ] {
            #expect(try await fixture.ask(.GET, "/v1/events\(query)").code == code, "\(query)")
        }
        let forged = try await fixture.ask(
            .GET, "/v1/events?topic=a", ["accept": "text/event-stream", "last-event-id": "k1-1"])
        #expect(forged.status == 400 && forged.code == "invalid_start")
        let json = try await fixture.ask(
            .GET, "/v1/events?topic=a", ["accept": "application/json"])
        #expect(json.status == 406)
    }

    @Test func `leaves nothing behind when only the head was asked for`() async throws {
        let node = try FollowedNode()
        try await node.publish("a", ["1"])
        let client = try node.request("HEAD \(path)&from=earliest")
        #expect(try client.receiveAll().contains("content-type: application/x-ndjson"))
        let deadline = ContinuousClock.now + .seconds(20)
        while try await node.followerCount(of: "a") + node.connectionCount > 0,
            ContinuousClock.now < deadline
        {
            try await Task.sleep(for: .milliseconds(1))
        }
        #expect(try await node.followerCount(of: "a") == 0)
        #expect(node.connectionCount == 0)
    }
}

@Suite("A stream of bare data over HTTP") struct BareDataTests {
    private let path = "/v1/topics/a/events?follow&view=data"
    private let accept = "Accept: text/event-stream\r\n"

    @Test func `has the data of an event on each line, and nothing else`() async throws {
        var limits = Limits()
        limits.heartbeatInterval = .seconds(1)
        let node = try FollowedNode(limits: limits)
        try await node.publish("a", ["1.00", "[\r\n2]"])
        let follower = try node.follow(path + "&from=earliest")
        #expect(try follower.line() == "1.00")
        #expect(try follower.line() == "[  2]")
        // A heartbeat.
        #expect(try follower.line() == "")
        try await node.publish("a", ["3"])
        var line = try follower.line()
        while line == "" { line = try follower.line() }
        #expect(line == "3")
        node.hub.forEachLoop { $0.drain(reconnectWithin: .seconds(4)) }
        repeat { line = try follower.line() } while line == ""
        #expect(line == nil)
    }

    @Test func `ends where something is missing, behind what is not`() async throws {
        let node = try FollowedNode()
        try await node.publish("a", ["1", "2"])
        let cursor = try await node.cursor(of: "a", 1)
        node.log.purge(try TopicName("a"), below: 3)
        try await node.publish("a", ["3"])
        let follower = try node.follow(path + "&from=after:\(cursor)")
        #expect(try follower.line() == nil)
        let other = try node.follow(path + "&from=earliest")
        #expect(try other.line() == "3")
        _ = try await node.log.delete(try TopicName("a"), ifRevision: nil)
        #expect(try other.line() == nil)
    }

    @Test func `goes on where it is conflated`() async throws {
        let node = try FollowedNode()
        let follower = try node.follow(path + "&max_rate=1000&overflow=conflate")
        for number in 1...50 { try await node.publish("a", ["\(number)"]) }
        var line = try follower.line()
        while line != "50" {
            try #require(line != nil)
            line = try follower.line()
        }
    }

    @Test func `as server-sent events has ids, and tells other handlers what is missing`()
        async throws
    {
        let node = try FollowedNode()
        try await node.publish("a", ["1", "[\n2]", "3"])
        let first = try node.follow(
            "/v1/topics/a/events?view=data&from=earliest", accept)
        _ = try first.block()
        let event = try first.block()
        #expect(event.count == 2 && event[1] == "data: 1")
        #expect(try first.block()[1...] == ["data: [", "data: 2]"])
        node.log.purge(try TopicName("a"), below: 3)
        let second = try node.follow(
            "/v1/topics/a/events?view=data", accept + "Last-Event-ID: \(event[0].dropFirst(4))\r\n")
        _ = try second.block()
        let gap = try second.block()
        #expect(gap.count == 3 && gap[1] == "event: gap")
        #expect(gap[2].hasPrefix(#"data: {"type":"gap","topic":"a","from":2,"to":2,"#))
        #expect(try second.line() == nil)
        // Behind it, everything goes on.
        let third = try node.follow(
            "/v1/topics/a/events?view=data", accept + "Last-Event-ID: \(gap[0].dropFirst(4))\r\n")
        _ = try third.block()
        #expect(try third.block()[1] == "data: 3")
        _ = try await node.log.delete(try TopicName("a"), ifRevision: nil)
        let reset = try third.block()
        #expect(reset[0] == "id: offset:1" && reset[1] == "event: reset")
        #expect(try third.line() == nil)
    }

    @Test func `of several topics has positions as ids, also for what a filter left out`()
        async throws
    {
        let node = try FollowedNode()
        let filter = percentEncoded("$ == 1")
        let follower = try node.follow(
            "/v1/events?topic=a&topic=b&view=data&filter=\(filter)", accept)
        _ = try follower.block()
        try await node.publish("a", ["1"])
        let event = try follower.block()
        #expect(event.count == 2 && event[0].hasPrefix("id: at:1~"))
        #expect(event[1] == "data: 1")
        try await node.publish("b", ["2"])
        let progress = try follower.block()
        #expect(progress.count == 1)
        let position = try StreamPosition(String(progress[0].dropFirst(4)), field: "id")
        #expect(position.cursors.count == 2)
    }
}
