import EventModel
import NIOHTTP1
import Testing

@testable import HTTPEndpoint

@Suite("Topics over HTTP") struct TopicRouteTests {
    private let fixture = BrokerFixture()
    private let json: HTTPHeaders = ["content-type": "application/json"]
    private let patch: HTTPHeaders = ["content-type": "application/merge-patch+json"]

    private let described =
        #"{"topic":"a","durable":true,"retain":{"age":"7d","count":null,"bytes":"unlimited"},"#
        + #""event_bytes":1000,"overflow":null,"description":"Käse","revision":1,"epoch":"k3f91","#
        + #""earliest":1,"latest":0,"bytes":0,"created":"2025-11-23T12:13:20.000001Z","#
        + #""effective":{"retain":{"age":"7d","count":"unlimited","bytes":"unlimited"},"#
        + #""event_bytes":1000}}"#
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

    @Test func `are not created over another that must be new`() async throws {
        _ = try await fixture.ask(.PUT, "/v1/topics/a", json, settings)
        var new = json
        new.add(name: "if-none-match", value: "*")
        let taken = try await fixture.ask(.PUT, "/v1/topics/a", new, settings)
        #expect(taken.status == 409 && taken.code == "topic_exists")
        #expect(try await fixture.ask(.GET, "/v1/topics/a").body == described)
    }

    @Test func `have all settings replaced by a PUT, of the revision that it expects`()
        async throws
    {
        _ = try await fixture.ask(.PUT, "/v1/topics/a", json, settings)
        let replaced = try await fixture.ask(
            .PUT, "/v1/topics/a", json, #"{"overflow":"drop_oldest"}"#)
        #expect(replaced.status == 200)
        #expect(replaced.headers == ["content-type: application/json", #"etag: "2""#])
        #expect(
            replaced.body.contains(
                #""retain":{"age":null,"count":null,"bytes":null},"event_bytes":null,"#
                    + #""overflow":"drop_oldest","description":"","revision":2"#))
        #expect(
            replaced.body.contains(
                #""effective":{"retain":{"age":"unlimited","count":"unlimited","#
                    + #""bytes":"unlimited"},"event_bytes":1048576}"#))
        let stale = try await fixture.ask(.PUT, "/v1/topics/a", when("1", json), "{}")
        #expect(stale.status == 412 && stale.code == "revision_moved")
        #expect(stale.body.contains("The settings of a have revision 2, not 1."))
        #expect(try await fixture.ask(.PUT, "/v1/topics/a", when("2", json), "{}").status == 200)
        // A condition on the revision never creates.
        let none = try await fixture.ask(.PUT, "/v1/topics/b", when("1", json), "{}")
        #expect(none.status == 404 && none.code == "topic_not_found")
    }

    @Test func `have some settings changed by a merge patch`() async throws {
        _ = try await fixture.ask(.PUT, "/v1/topics/a", json, settings)
        let patched = try await fixture.ask(
            .PATCH, "/v1/topics/a", patch, #"{"retain":{"age":null,"count":5},"description":"x"}"#)
        #expect(patched.status == 200 && patched.headers.contains(#"etag: "2""#))
        #expect(
            patched.body.contains(
                #""retain":{"age":null,"count":5,"bytes":"unlimited"},"event_bytes":1000,"#
                    + #""overflow":null,"description":"x""#))
        let reset = try await fixture.ask(
            .PATCH, "/v1/topics/a", patch, #"{"retain":null,"event_bytes":null,"description":null}"#
        )
        #expect(
            reset.body.contains(
                #""retain":{"age":null,"count":null,"bytes":null},"event_bytes":null,"#
                    + #""overflow":null,"description":"""#))
        let same = try await fixture.ask(.PATCH, "/v1/topics/a", patch, "{}")
        #expect(same.status == 200 && same.headers.contains(#"etag: "3""#))
        let stale = try await fixture.ask(.PATCH, "/v1/topics/a", when("2", patch), "{}")
        #expect(stale.status == 412)
        #expect(try await fixture.ask(.PATCH, "/v1/topics/b", patch, "{}").status == 404)
        #expect(try await fixture.ask(.PATCH, "/v1/topics/a", json, "{}").status == 415)
    }

    @Test func `are deleted, and answered as they were`() async throws {
        _ = try await fixture.ask(.PUT, "/v1/topics/a", json, settings)
        #expect(try await fixture.ask(.DELETE, "/v1/topics/a", when("2")).status == 412)
        let deleted = try await fixture.ask(.DELETE, "/v1/topics/a", when("1"))
        let expected = BrokerFixture.Answer(
            status: 200, headers: ["content-type: application/json"], body: described)
        #expect(deleted == expected)
        #expect(try await fixture.ask(.DELETE, "/v1/topics/a").code == "topic_not_found")
    }

    @Test func `are not told again to who has the settings of this revision`() async throws {
        _ = try await fixture.ask(.PUT, "/v1/topics/a", json, settings)
        for (tag, status) in [("\"1\"", 304), ("*", 304), ("\"2\"", 200)] as [(String, UInt)] {
            let answer = try await fixture.ask(
                .GET, "/v1/topics/a", ["if-none-match": tag])
            #expect(answer.status == status && answer.body.isEmpty == (status == 304))
            #expect(answer.headers.contains(#"etag: "1""#))
            #expect(answer.headers.contains("cache-control: no-store"))
        }
        #expect(try await fixture.ask(.GET, "/v1/topics/b", ["if-none-match": "*"]).status == 404)
    }

    @Test func `are purged before an offset`() async throws {
        _ = try await fixture.ask(.PUT, "/v1/topics/a", json, "{}")
        let name = try TopicName("a")
        fixture.log.set { $0.topics[name]?.position.latest = 9 }
        let purged = try await fixture.ask(.DELETE, "/v1/topics/a/events?before=4")
        #expect(purged.status == 200 && purged.headers.contains(#"etag: "1""#))
        #expect(purged.body.contains(#""earliest":4,"latest":9"#))
        #expect(purged.body.hasSuffix(#","purged":3}"#))
        let all = try await fixture.ask(.DELETE, "/v1/topics/a/events?before=1000", when("1"))
        #expect(all.body.contains(#""earliest":10"#) && all.body.hasSuffix(#","purged":6}"#))
        let stale = try await fixture.ask(.DELETE, "/v1/topics/a/events?before=1", when("7"))
        #expect(stale.status == 412)
        for query in ["", "?before=0", "?before=x", "?before=1&before=2"] {
            let refused = try await fixture.ask(.DELETE, "/v1/topics/a/events\(query)")
            #expect(refused.code == "invalid_request", "\(query)")
        }
    }

    @Test(arguments: [HTTPMethod.PUT, .PATCH, .DELETE])
    func `are left alone when they are the broker's`(method: HTTPMethod) async throws {
        let headers = method == .PATCH ? patch : json
        let answer = try await fixture.ask(method, "/v1/topics/sluice.a", headers, "{}")
        #expect(answer.status == 403 && answer.code == "forbidden")
        let purge = try await fixture.ask(.DELETE, "/v1/topics/sluice.a/events?before=1")
        #expect(purge.code == "forbidden")
    }

    @Test(
        arguments: [
            ["if-match": "1"], ["if-match": "\"x\""], ["if-match": "W/\"1\""],
            ["if-match": "\"1\", \"2\""], ["if-none-match": "\"1\""],
            ["if-match": "\"1\"", "if-none-match": "*"],
        ] as [HTTPHeaders]) func `want a condition of theirs`(condition: HTTPHeaders) async throws
    {
        var headers = json
        headers.add(contentsOf: condition)
        let answer = try await fixture.ask(.PUT, "/v1/topics/a", headers, "{}")
        #expect(answer.code == "invalid_request")
        let deletion = try await fixture.ask(.DELETE, "/v1/topics/a", condition)
        #expect(deletion.code == "invalid_request")
    }

    private func when(_ revision: String, _ headers: HTTPHeaders = [:]) -> HTTPHeaders {
        var headers = headers
        headers.add(name: "if-match", value: "\"\(revision)\"")
        return headers
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
        ("a", #"{"overflow":"sometimes"}"#, "invalid_request", "overflow"),
        ("a", #"{"overflow":["replay"]}"#, "invalid_request", "overflow"),
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

    @Test func `want JSON`() async throws {
        #expect(try await fixture.ask(.PUT, "/v1/topics/a", [:], "{}").status == 415)
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
