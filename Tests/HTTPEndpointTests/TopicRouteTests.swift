import EventModel
import NIOHTTP1
import Testing

@testable import HTTPEndpoint

@Suite("Topics over HTTP") struct TopicRouteTests {
    private let fixture = BrokerFixture()
    private let json: HTTPHeaders = ["content-type": "application/json"]

    private let described =
        #"{"topic":"a","durable":true,"retain":{"age":"7d","count":null,"bytes":"unlimited"},"#
        + #""event_bytes":1000,"overflow":null,"description":"Käse","revision":1,"epoch":"k3f91","#
        + #""earliest":1,"latest":0,"bytes":0,"created":"2025-11-23T12:13:20.000001Z"}"#
    private let settings =
        #"{"retain":{"age":"168h","bytes":"unlimited"},"event_bytes":1000,"description":"Käse"}"#

    @Test func `are created, described, and created again`() async throws {
        let created = try await fixture.ask(.PUT, "/v1/topics/a", json, settings)
        let expected = BrokerFixture.Answer(
            status: 201,
            headers: ["content-type: application/json", #"etag: "1""#, "location: /v1/topics/a"],
            body: described)
        #expect(created == expected)
        let read = try await fixture.ask(.GET, "/v1/topics/a")
        #expect(read.status == 200 && read.body == described)
        #expect(read.headers.contains(#"etag: "1""#))
        // What was read can be sent back.
        let again = try await fixture.ask(.PUT, "/v1/topics/a", json, described)
        #expect(again.status == 200 && again.body == described)
    }

    @Test func `are created without a log, and stay so`() async throws {
        let created = try await fixture.ask(.PUT, "/v1/topics/a", json, #"{"durable":false}"#)
        #expect(created.status == 201)
        #expect(created.body.hasPrefix(#"{"topic":"a","durable":false,"retain":{"age":null,"#))
        let again = try await fixture.ask(.PUT, "/v1/topics/a", json, created.body)
        #expect(again.status == 200 && again.body == created.body)
        #expect(try await fixture.ask(.PUT, "/v1/topics/a", json, "{}").code == "topic_exists")
    }

    @Test func `are not created over another, nor altered`() async throws {
        _ = try await fixture.ask(.PUT, "/v1/topics/a", json, settings)
        var new = json
        new.add(name: "if-none-match", value: "*")
        let taken = try await fixture.ask(.PUT, "/v1/topics/a", new, settings)
        #expect(taken.status == 409 && taken.code == "topic_exists")
        let altered = try await fixture.ask(.PUT, "/v1/topics/a", json, "{}")
        #expect(altered.status == 409 && altered.code == "topic_exists")
        #expect(altered.body.contains("altering them is not offered by this version"))
    }

    @Test(arguments: [
        ("a", "[]", "invalid_request", nil),
        ("a", "", "invalid_json", nil),
        ("a", #"{"retention":1}"#, "unknown_field", "retention"),
        ("a", #"{"description":"","description":""}"#, "unknown_field", "description"),
        ("a", #"{"retain":{"size":1}}"#, "unknown_field", "retain.size"),
        ("a", #"{"retain":7}"#, "invalid_request", nil),
        ("a", #"{"retain":{"age":"7 days"}}"#, "invalid_request", "retain.age"),
        ("a", #"{"retain":{"age":"200000000d"}}"#, "invalid_request", "retain.age"),
        ("a", #"{"retain":{"age":"36501d"}}"#, "invalid_request", "retain.age"),
        ("a", #"{"retain":{"count":0}}"#, "invalid_request", "retain.count"),
        ("a", #"{"retain":{"bytes":1.5}}"#, "invalid_request", "retain.bytes"),
        ("a", #"{"event_bytes":100000000}"#, "invalid_request", "event_bytes"),
        ("a", #"{"durable":false,"retain":{"count":1}}"#, "invalid_request", "retain"),
        ("a", #"{"durable":null}"#, "invalid_request", "durable"),
        ("a", #"{"overflow":"replay"}"#, "invalid_request", "overflow"),
        ("a", #"{"topic":"b"}"#, "invalid_request", "topic"),
        ("a..b", "{}", "invalid_topic", nil),
        ("sluice.a", "{}", "forbidden", nil),
    ]) func `are refused with what is wrong`(
        topic: String, body: String, code: String, field: String?
    ) async throws {
        let answer = try await fixture.ask(.PUT, "/v1/topics/\(topic)", json, body)
        #expect(answer.code == code)
        if let field { #expect(answer.body.contains(#""field":"\#(field)""#)) }
        #expect(!answer.body.contains("committed"))
    }

    @Test func `want JSON, and no condition on a change`() async throws {
        #expect(try await fixture.ask(.PUT, "/v1/topics/a", [:], "{}").status == 415)
        var condition = json
        condition.add(name: "if-match", value: "\"1\"")
        let answer = try await fixture.ask(.PUT, "/v1/topics/a", condition, "{}")
        #expect(answer.code == "invalid_request")
    }

    @Test func `are listed in pages that lead to the next`() async throws {
        for name in ["b.2", "a", "b.1", "b.3"] {
            _ = try await fixture.ask(.PUT, "/v1/topics/\(name)", json, "{}")
        }
        let first = try await fixture.ask(.GET, "/v1/topics?match=b.%3E&limit=2")
        #expect(first.body.hasSuffix(#"],"next":"b.2"}"#))
        let next = "/v1/topics?match=b.%3E&limit=2&after=b.2"
        #expect(first.headers.contains("link: <\(next)>; rel=\"next\""))
        let last = try await fixture.ask(.GET, next)
        #expect(last.body.contains(#""topic":"b.3""#) && last.body.hasSuffix(#"],"next":null}"#))
        #expect(!last.headers.contains { $0.hasPrefix("link") })
        #expect(
            try await fixture.ask(.GET, "/v1/topics?match=z").body == #"{"topics":[],"next":null}"#)
    }

    @Test(arguments: [
        ("/v1/topics/none", 404, "topic_not_found"),
        ("/v1/topics/a..b", 400, "invalid_topic"),
        ("/v1/topics?match=a..b", 400, "invalid_pattern"),
        ("/v1/topics?after=*", 400, "invalid_topic"),
        ("/v1/topics?limit=0", 400, "invalid_request"),
        ("/v1/topics?limit=1001", 400, "invalid_request"),
        ("/v1/topics?limit=1&limit=2", 400, "invalid_request"),
        ("/v1/topics?match=%zz", 400, "invalid_request"),
        ("/v1/topics?page=1", 400, "unknown_field"),
    ]) func `say what is wrong with a question`(
        uri: String, status: UInt, code: String
    ) async throws {
        let answer = try await fixture.ask(.GET, uri)
        #expect(answer.status == status && answer.code == code)
    }

    @Test func `are kept for a hundred years at most`() async throws {
        let kept = try await fixture.ask(
            .PUT, "/v1/topics/a", json, #"{"retain":{"age":"36500d"}}"#)
        #expect(kept.status == 201 && kept.body.contains(#""age":"36500d""#))
        let over = try await fixture.ask(
            .PUT, "/v1/topics/b", json, #"{"retain":{"age":"876001h"}}"#)
        #expect(over.status == 400)
        #expect(over.body.contains("'retain.age' is over 36500d."))
    }
}
