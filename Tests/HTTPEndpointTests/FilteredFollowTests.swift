import EventModel
import NIOHTTP1
import Testing

@testable import HTTPEndpoint

@Suite("Following a topic over HTTP with a filter") struct FilteredFollowTests {
    private let path = "/v1/topics/a/events?follow&from=earliest&filter="

    @Test func `gives what fits, and a line that tells how far it is`() async throws {
        let node = try FollowedNode()
        try await node.publish("a", ["1", "2", "3"])
        let follower = try node.follow(path + percentEncoded("$ == 2 || $ == 4"))
        #expect(try follower.lines(upTo: #""data":2}"#).count == 1)
        try await node.publish("a", ["4", "5"])
        let live = try follower.lines(upTo: #""data":4}"#)
        #expect(live.allSatisfy { $0.contains(#""type":"live""#) || $0.contains(#""data":4}"#) })
        let cursor = try follower.lines(upTo: #"-5"}}"#).last
        #expect(cursor?.hasPrefix(#"{"type":"cursor","cursors":{"a":""#) == true)
    }

    @Test func `is refused with what is wrong`() async throws {
        let answer = try await BrokerFixture().ask(.GET, path + "$.active")
        #expect(answer.status == 400 && answer.code == "invalid_filter")
        #expect(answer.body.contains(#""at":{"byte":8,"field":"filter"}"#))
    }
}
