import EventModel
import NIOHTTP1
import Testing

@testable import HTTPEndpoint

@Suite("Publishing to one topic") struct PublishOneTopicTests {
    private let fixture = BrokerFixture()

    @Test func `is answered 201 with the cursor after the commit`() async throws {
        let answer = try await fixture.publish(#" {"a": 1.0} "#)
        let expected = BrokerFixture.Answer(
            status: 201,
            headers: [
                "content-type: application/json", "location: /v1/topics/orders.eu/events/1",
                #"etag: "k3f91-1""#,
            ],
            body: #"{"topic":"orders.eu","cursor":"k3f91-1","first_offset":1,"last_offset":1,"#
                + #""time":"2025-11-23T12:13:20.000001Z","repeated":false}"#)
        #expect(answer == expected)
        #expect(
            fixture.log.appends[0].parts[0].events == [NewEvent(data: Array(#"{"a": 1.0}"#.utf8))])
    }

    @Test func `appends an NDJSON body as one part, with one key`() async throws {
        let answer = try await fixture.ask(
            .POST, "/v1/topics/a/events",
            ["Content-Type": "application/x-ndjson; charset=UTF-8", "sluice-key": "42"],
            "1\n\n[2]\r\n\"3\"")
        #expect(answer.status == 201)
        #expect(answer.body.contains(#""first_offset":1,"last_offset":3"#))
        let parts = fixture.log.appends[0].parts
        #expect(parts.count == 1)
        #expect(
            parts[0].events.map { String(decoding: $0.data, as: UTF8.self) } == [
                "1", "[2]", "\"3\"",
            ])
        #expect(parts[0].events.allSatisfy { $0.key == "42" })
    }

    @Test func `takes key, event id and the id's idempotency from the headers`() async throws {
        _ = try await fixture.publish("1", ["Sluice-Key": "k", "Sluice-Event-Id": "a1"])
        let part = fixture.log.appends[0].parts[0]
        #expect(part.events == [NewEvent(data: [0x31], key: "k", eventID: "a1")])
        #expect(part.idempotency?.text == "e:a1")
        // The key belongs to what must be the same again.
        #expect(part.idempotency?.digest == digest("1\0k\0\0"))
    }

    @Test func `lets Idempotency-Key govern the request, over the event's id`() async throws {
        _ = try await fixture.publish(" 1 ", ["Idempotency-Key": "k1", "Sluice-Event-Id": "a1"])
        let part = fixture.log.appends[0].parts[0]
        #expect(part.events[0].eventID == "a1")
        #expect(part.idempotency?.text == "k:k1")
        #expect(part.idempotency?.digest == digest("1\0\0a1\0"))
    }

    @Test func `digests bare data alone, and the lines of a body together`() async throws {
        _ = try await fixture.publish(" 1 ", ["Sluice-Event-Id": "a1"])
        _ = try await fixture.publish(" 1 ", ["Idempotency-Key": "k1"])
        let lines: HTTPHeaders = ["content-type": "application/x-ndjson", "idempotency-key": "k1"]
        _ = try await fixture.ask(.POST, "/v1/topics/a/events", lines, "1\n2\n")
        var keyed = lines
        keyed.add(name: "sluice-key", value: "k")
        _ = try await fixture.ask(.POST, "/v1/topics/a/events", keyed, "1\n2\n")
        let digests = fixture.log.appends.map { $0.parts[0].idempotency?.digest }
        #expect(
            digests == [
                digest("1"), digest("1"), digest("1\n2"), digest("1\0k\0\0\n2\0k\0\0"),
            ])
    }

    private func digest(_ material: String) -> [UInt8] {
        Array(fakeDigest(Array(material.utf8)).prefix(16))
    }

    @Test func `decodes the topic of the path before it is checked`() async throws {
        #expect(try await fixture.publish("1", to: "orders%2Eeu").status == 201)
        #expect(fixture.log.appends[0].parts[0].topic.text == "orders.eu")
    }

    @Test func `tells the head with 412 when it moved`() async throws {
        fixture.log.set { state in
            state.failure = BrokerError(.headMoved, "The head moved.")
            state.failure?.head = Cursor(epoch: ScriptedLog.epoch, offset: 9)
        }
        let answer = try await fixture.publish("1", ["If-None-Match": "*"])
        #expect(fixture.log.appends[0].parts[0].expectedHead == 0)
        #expect(answer.status == 412)
        #expect(answer.headers.contains(#"etag: "k3f91-9""#))
        #expect(answer.body.hasSuffix(#""committed":"no","cursor":"k3f91-9"}"#))
    }

    @Test func `says that it may be committed when nobody knows, and when to try again`()
        async throws
    {
        fixture.log.set { state in
            state.failure = BrokerError(
                .outcomeUnknown, "No answer in time.", retryAfter: .milliseconds(1500))
            state.failure?.committed = .unknown
        }
        let answer = try await fixture.publish("1")
        #expect(answer.status == 503)
        #expect(answer.headers.contains("retry-after: 2"))
        #expect(answer.body.contains(#""committed":"unknown""#))
    }

    @Test func `refuses bad JSON with the place, as a problem document`() async throws {
        let answer = try await fixture.publish(#"{"a":}"#)
        let expected = BrokerFixture.Answer(
            status: 400, headers: ["content-type: application/problem+json"],
            body: #"{"type":"/v1/errors/invalid_json","title":"The JSON text is not valid","#
                + #""status":400,"detail":"At byte 5: expected a value.","code":"invalid_json","#
                + #""remedy":"Send one JSON text (RFC 8259), at most 512 levels deep.","#
                + #""request_id":"r_1","at":{"byte":5},"committed":"no"}"#)
        #expect(answer == expected)
        #expect(fixture.log.appends.isEmpty)
    }

    struct Refused: Sendable, CustomStringConvertible {
        var topic = "a"
        var headers: HTTPHeaders
        var body = "1"
        var status: UInt = 400
        var code = "invalid_request"

        var description: String { "\(topic) \(headers) \(body.prefix(10))" }

        static func json(_ more: HTTPHeaders = [:]) -> HTTPHeaders {
            var headers: HTTPHeaders = ["content-type": "application/json"]
            headers.add(contentsOf: more)
            return headers
        }
    }

    static let wrongTopics: [Refused] = [
        Refused(topic: "a..b", headers: Refused.json(), code: "invalid_topic"),
        Refused(topic: "a%zz", headers: Refused.json(), code: "invalid_topic"),
        Refused(topic: "a%2Fb", headers: Refused.json(), code: "invalid_topic"),
        Refused(topic: "sluice.x", headers: Refused.json(), status: 403, code: "forbidden"),
    ]

    static let wrongTypes: [Refused] = [
        [:], ["content-type": "text/plain"], ["content-type": "application/json;charset=latin1"],
        Refused.json(["content-encoding": "gzip"]),
    ].map { Refused(headers: $0, status: 415, code: "unsupported_media_type") }

    static let wrongBodies: [Refused] = [
        Refused(headers: Refused.json(), body: "", code: "invalid_json"),
        Refused(headers: Refused.json(), body: "1 2", code: "invalid_json"),
        Refused(headers: ["content-type": "application/x-ndjson"], body: "\n \n"),
        Refused(
            headers: Refused.json(), body: String(repeating: "1", count: 101), status: 413,
            code: "event_too_large"),
    ]

    static let wrongHeaders: [Refused] =
        [
            ["idempotency-key": ""], ["idempotency-key": "x", "Idempotency-Key": "y"],
            ["if-match": "k3f9-1"], ["if-match": "W/\"k3f9-1\""], ["if-none-match": "\"k3f9-1\""],
            ["if-match": "\"k-1\"", "if-none-match": "*"],
        ].map { Refused(headers: Refused.json($0)) } + [
            Refused(headers: ["content-type": "application/x-ndjson", "sluice-event-id": "x"]),
            Refused(headers: Refused.json(["sluice-key": "\u{fffd}"]), code: "invalid_utf8"),
        ]

    @Test(arguments: wrongTopics + wrongTypes + wrongBodies + wrongHeaders)
    func `refuses what is wrong and appends nothing`(refused: Refused) async throws {
        var limits = Limits()
        limits.eventBytesMax = 100
        let fixture = BrokerFixture(limits: limits)
        let answer = try await fixture.ask(
            .POST, "/v1/topics/\(refused.topic)/events", refused.headers, refused.body)
        #expect(answer.status == refused.status)
        #expect(answer.code == refused.code)
        #expect(answer.body.contains(#""committed":"no""#))
        #expect(fixture.log.appends.isEmpty)
    }

    @Test func `refuses a query by name, and takes another spelling of the path`() async throws {
        let json: HTTPHeaders = ["content-type": "application/json"]
        let refused = try await fixture.ask(.POST, "/v1/topics/a/events?wait=1", json, "1")
        #expect(refused.code == "unknown_field")
        let answer = try await fixture.ask(.POST, "/v1/topics/a/events/", json, "1")
        #expect(answer == (try await BrokerFixture().publish("1", to: "a")))
    }
}
