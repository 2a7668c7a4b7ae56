import EventModel
import MemoryLog
import NIOHTTP1
import Testing

@testable import HTTPEndpoint

/// Five events were published to a topic without a log.
@Suite("Reading an ephemeral topic over HTTP") struct EphemeralPageTests {
    private let fixture = BrokerFixture()

    init() throws {
        let topic = try TopicName("a")
        fixture.log.set { state in
            state.pages[topic] = EventPage(
                position: TopicPosition(
                    topic: topic, epoch: ScriptedLog.epoch, earliest: 6, latest: 5,
                    isEphemeral: true),
                purgedBelow: 1, events: [])
        }
    }

    @Test(arguments: [
        "", "?from=earliest", "?from=last:1", "?from=offset:1", "?from=offset:9", "?from=ago:1h",
        "?from=time:2026-01-01T00:00:00Z",
    ]) func `has no log to begin in`(query: String) async throws {
        let answer = try await fixture.ask(.GET, "/v1/topics/a/events\(query)")
        #expect(answer.status == 400 && answer.code == "ephemeral_topic")
        #expect(answer.body.contains("Start at 'latest'."))
    }

    @Test func `gives an empty page at the head`() async throws {
        let answer = try await fixture.ask(.GET, "/v1/topics/a/events?from=latest")
        #expect(
            answer.body == #"{"events":[],"gaps":[],"reset":null,"cursor":"k3f91-5","#
                + #""earliest":6,"latest":5,"caught_up":true}"#)
    }

    @Test func `tells behind a cursor what was missed`() async throws {
        let answer = try await fixture.ask(.GET, "/v1/topics/a/events?from=after:k3f91-2")
        #expect(
            answer.body == #"{"events":[],"gaps":[{"type":"gap","topic":"a","from":3,"to":5,"#
                + #""cursor":"k3f91-5","reason":"ephemeral"}],"reset":null,"#
                + #""cursor":"k3f91-5","earliest":6,"latest":5,"caught_up":true}"#)
    }

    @Test func `has no event at an offset any more`() async throws {
        let answer = try await fixture.ask(.GET, "/v1/topics/a/events/5")
        #expect(answer.status == 410 && answer.code == "offset_expired")
    }
}

@Suite("Following an ephemeral topic over HTTP") struct EphemeralFollowTests {
    @Test func `tells what was missed and lost, and what comes`() async throws {
        let node = try FollowedNode()
        let topic = try TopicName("a")
        var settings = TopicSettings()
        settings.isDurable = false
        let epoch = try await node.log.create(topic, settings: settings).position.epoch
        try await node.publish("a", ["1", "2"])
        let path = "/v1/topics/a/events?follow"
        let refused = try node.follow(path + "&from=earliest")
        #expect(refused.head.hasPrefix("HTTP/1.1 400 "))
        let follower = try node.follow(path + "&from=after:\(Cursor(epoch: epoch, offset: 1))")
        #expect(follower.head.hasPrefix("HTTP/1.1 200 "))
        let missed = try follower.lines(upTo: #""type":"live""#)
        #expect(missed[0].contains(#""type":"gap","topic":"a","from":2,"to":2,"#))
        #expect(missed[0].contains(#""reason":"ephemeral""#))
        node.log.skip(topic)
        try await node.publish("a", ["4"])
        let lines = try follower.lines(upTo: #""offset":4"#)
        #expect(lines.count == 2 && lines[0].contains(#""from":3,"to":3,"#))
        #expect(lines[1].hasSuffix(#""data":4}"#))
    }
}
