import EventModel
import NIOHTTP1
import Testing

@testable import HTTPEndpoint

@Suite("Publishing to many topics") struct PublishManyTopicsTests {
    private let fixture = BrokerFixture()

    private func publish(
        _ lines: String..., headers: HTTPHeaders = [:]
    ) async throws -> BrokerFixture.Answer {
        var all: HTTPHeaders = ["content-type": "application/x-ndjson"]
        all.add(contentsOf: headers)
        return try await fixture.ask(.POST, "/v1/events", all, lines.joined(separator: "\n"))
    }

    private var parts: [[String]] {
        fixture.log.appends[0].parts.map { part in
            [part.topic.text] + part.events.map { String(decoding: $0.data, as: UTF8.self) }
        }
    }

    @Test func `is one append, answered in the order of the lines`() async throws {
        let answer = try await publish(
            #"{"topic":"a","data":1}"#, #"{"topic":"b","data":2}"#, #"{"topic":"a","data":3}"#)
        #expect(parts == [["a", "1", "3"], ["b", "2"]])
        let expected = BrokerFixture.Answer(
            status: 201, headers: ["content-type: application/json"],
            body: #"{"results":["#
                + #"{"topic":"a","offset":1,"cursor":"k3f91-1","time":"2025-11-23T12:13:20.000001Z","repeated":false},"#
                + #"{"topic":"b","offset":1,"cursor":"k3f91-1","time":"2025-11-23T12:13:20.000001Z","repeated":false},"#
                + #"{"topic":"a","offset":2,"cursor":"k3f91-2","time":"2025-11-23T12:13:20.000001Z","repeated":false}]}"#
        )
        #expect(answer == expected)
    }

    @Test func `gives a line with an event id a part of its own, and keeps the topic's order`()
        async throws
    {
        let answer = try await publish(
            #"{"topic":"a","data":1}"#, #"{"topic":"b","data":2}"#,
            #"{"topic":"a","data":3,"event_id":"x"}"#, #"{"topic":"a","data":4}"#)
        #expect(parts == [["a", "1"], ["a", "3"], ["a", "4"], ["b", "2"]])
        #expect(fixture.log.appends[0].parts.map(\.idempotency?.text) == [nil, "e:x", nil, nil])
        let offsets = answer.body.split(separator: #""offset":"#).dropFirst().map { $0.prefix(1) }
        #expect(offsets == ["1", "1", "2", "3"])
    }

    @Test func `answers a line that repeats one of the request with its result`() async throws {
        let line = #"{"topic":"a","data":3,"event_id":"x"}"#
        let answer = try await publish(line, line)
        #expect(parts == [["a", "3"]])
        #expect(answer.body.contains(#""repeated":false},{"topic":"a","offset":1,"#))
        #expect(answer.body.hasSuffix(#""repeated":true}]}"#))
    }

    @Test func `refuses an event id that is used twice for different data`() async throws {
        let answer = try await publish(
            #"{"topic":"a","data":3,"event_id":"x"}"#, #"{"topic":"a","data":4,"event_id":"x"}"#)
        #expect(answer.status == 422)
        #expect(answer.code == "idempotency_conflict")
        #expect(fixture.log.appends.isEmpty)
    }

    @Test(arguments: [
        #"{"topic":"a","data":3,"event_id":"x","key":"k"}"#,
        #"{"topic":"a","data":3,"event_id":"x","attributes":{"b":"c"}}"#,
    ]) func `refuses an event id that is used twice for another key or attributes`(
        line: String
    ) async throws {
        let answer = try await publish(#"{"topic":"a","data":3,"event_id":"x"}"#, line)
        #expect(answer.code == "idempotency_conflict")
        #expect(fixture.log.appends.isEmpty)
    }

    @Test func `digests topics, data, keys, ids and attributes under Idempotency-Key`()
        async throws
    {
        _ = try await publish(
            #"{"topic":"a","data":1,"key":"k","event_id":"x","attributes":{"b":"c"}}"#,
            #"{"topic":"b","data":2}"#, headers: ["idempotency-key": "k1"])
        let material = "a\n1\0k\0x\0{\"b\":\"c\"}\nb\n2"
        let digest = Array(fakeDigest(Array(material.utf8)).prefix(16))
        #expect(fixture.log.appends[0].parts.map(\.idempotency?.digest) == [digest, digest])
    }

    @Test func `lets Idempotency-Key govern all parts`() async throws {
        _ = try await publish(
            #"{"topic":"a","data":3,"event_id":"x"}"#, #"{"topic":"a","data":4}"#,
            #"{"topic":"b","data":5}"#, headers: ["idempotency-key": "k1"])
        #expect(parts == [["a", "3", "4"], ["b", "5"]])
        #expect(fixture.log.appends[0].parts.map(\.idempotency?.text) == ["k:k1", "k:k1"])
        #expect(fixture.log.appends[0].parts[0].events[0].eventID == "x")
    }

    @Test(arguments: [
        (#"{"topic":"a","data":1,"offset":1}"#, "unknown_field"),
        (#"{"topic":"a","data":1,"data":2}"#, "unknown_field"),
        (#"{"topic":"a..b","data":1}"#, "invalid_topic"),
        (#"{"topic":"sluice.a","data":1}"#, "forbidden"),
        (#"{"topic":"a"}"#, "invalid_request"),
        (#"{"topic":"a","data":}"#, "invalid_json"),
    ]) func `refuses everything for one wrong line, and names it`(
        line: String, code: String
    ) async throws {
        let answer = try await publish(#"{"topic":"a","data":1}"#, line)
        #expect(answer.code == code)
        #expect(answer.body.contains(#""at":{"line":2"#))
        #expect(answer.body.contains(#""committed":"no""#))
        #expect(fixture.log.appends.isEmpty)
    }

    @Test(arguments: ["if-match", "if-none-match", "sluice-event-id", "sluice-key"])
    func `refuses headers that speak of one topic`(name: String) async throws {
        let answer = try await publish(#"{"topic":"a","data":1}"#, headers: [name: "*"])
        #expect(answer.code == "invalid_request")
    }

    @Test func `refuses one JSON text`() async throws {
        let answer = try await fixture.ask(
            .POST, "/v1/events", ["content-type": "application/json"],
            #"{"topic":"a","data":1}"#)
        #expect(answer.status == 415)
    }
}
