import Delivery
import EventModel
import MemoryLog
import NIOHTTP1
import SessionProtocol
import Testing

@testable import HTTPEndpoint

@Suite("Server-sent events of a topic") struct ServerSentEventTests {
    private let path = "/v1/topics/a/events"
    private let accept = "Accept: text/event-stream\r\n"

    @Test func `are what a client gets that takes them best, each with its cursor as id`()
        async throws
    {
        let node = try FollowedNode()
        try await node.publish("a", ["1", "[\n1,\r\n2]"])
        let follower = try node.follow(path + "?from=earliest", accept)
        #expect(follower.head.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(follower.head.contains("\r\ncontent-type: text/event-stream\r\n"))
        #expect(follower.head.contains("\r\ncache-control: no-store\r\n"))
        let opening = try follower.block()
        #expect(opening.count == 2 && opening[0] == "retry: 2000")
        let epoch = try #require(opening[1].split(separator: " ").last?.dropLast("-0".count))
        #expect(opening[1] == "id: \(epoch)-0")
        let first = try follower.block()
        #expect(first.count == 2 && first[0] == "id: \(epoch)-1")
        #expect(first[1].hasPrefix(#"data: {"type":"event","topic":"a","offset":1,"#))
        // What breaks lines between tokens stays inside the record.
        let second = try follower.block()
        #expect(second[0] == "id: \(epoch)-2")
        #expect(second[1].hasSuffix(#""data":["#))
        #expect(second[2...] == ["data: 1,", "data: ", "data: 2]}"])
        #expect(try follower.block() == [#"data: {"type":"live"}"#])
    }

    @Test func `go on behind Last-Event-ID, whatever 'from' says`() async throws {
        let node = try FollowedNode()
        try await node.publish("a", ["1", "2", "3"])
        let first = try node.follow(path + "?from=earliest", accept)
        _ = try first.block()
        let id = try #require(try first.block()[0].split(separator: " ").last)
        let second = try node.follow(
            path + "?from=latest", accept + "Last-Event-ID: \(id)\r\n")
        #expect(try second.block() == ["retry: 2000", "id: \(id)"])
        #expect(try second.block()[1].contains(#""offset":2,"#))
        node.log.purge(try TopicName("a"), below: 3)
        let third = try node.follow(path, accept + "Last-Event-ID: \(id)\r\n")
        _ = try third.block()
        let gap = try third.block()
        #expect(gap[0].hasSuffix("-2") && gap[1].contains(#""type":"gap""#))
        #expect(try third.block()[0].hasSuffix("-3"))
    }

    @Test func `of a topic that is not created yet begin at 1, also in another connection`()
        async throws
    {
        let node = try FollowedNode()
        let first = try node.follow(path, accept)
        #expect(try first.block() == ["retry: 2000", "id: offset:1"])
        try await node.publish("a", ["1"])
        let second = try node.follow(path, accept + "Last-Event-ID: offset:1\r\n")
        #expect(try second.block()[1].hasSuffix("-0"))
        #expect(try second.block()[1].contains(#""offset":1,"#))
    }

    @Test func `tell when to come back as the broker goes down`() async throws {
        let node = try FollowedNode()
        let follower = try node.follow(path + "?follow", accept)
        _ = try follower.block()
        #expect(try follower.block() == [#"data: {"type":"live"}"#])
        node.hub.forEachLoop { $0.drain(reconnectWithin: .seconds(4)) }
        let closing = try follower.block()
        #expect(closing.count == 2 && closing[1].contains(#""code":4001"#))
        let time = try #require(Int(closing[0].dropFirst("retry: ".count)))
        #expect((400...4000).contains(time))
        #expect(try follower.line() == nil)
    }

    @Test(arguments: ["never", "k3f9", "after:x", "k1-"])
    func `are refused to a Last-Event-ID that no broker gave`(id: String) async throws {
        let answer = try await BrokerFixture().ask(
            .GET, path, ["accept": "text/event-stream", "last-event-id": id])
        #expect(answer.status == 400 && answer.code == "invalid_start")
    }

    @Test(arguments: [
        ("text/html,*/*;q=0.8", "application/json"), ("text/event-stream;q=0.1,*/*;q=0.9", nil),
        ("application/json, text/event-stream;q=0.5", "application/json"),
    ]) func `are for those who like nothing better`(accept: String, type: String?) async throws {
        let node = try FollowedNode()
        try await node.publish("a", ["1"])
        let answer = try node.follow(path, "Accept: \(accept)\r\nConnection: close\r\n")
        #expect(answer.head.contains("content-type: \(type ?? "application/json")"))
    }
}

extension Follower {
    /// The lines up to an empty one; heartbeats are left out.
    func block() throws -> [String] {
        var lines: [String] = []
        while let line = try line() {
            if !line.isEmpty {
                lines.append(line)
            } else if lines.last?.contains(#""type":"heartbeat""#) == true {
                lines = []
            } else {
                return lines
            }
        }
        return lines
    }
}
