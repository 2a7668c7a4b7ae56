import EventModel
import NIOHTTP1
import Testing

@testable import HTTPEndpoint

@Suite("CloudEvents over HTTP") struct CloudEventRouteTests {
    private let fixture = BrokerFixture()
    private static let structured =
        #"{"specversion":"1.0","id":"1","source":"/s","type":"t","data":1}"#

    private func publish(
        _ type: String, _ body: String, _ more: HTTPHeaders = [:]
    ) async throws -> BrokerFixture.Answer {
        var headers: HTTPHeaders = ["content-type": type]
        headers.add(contentsOf: more)
        return try await fixture.ask(.POST, "/v1/topics/a/events", headers, body)
    }

    private func attributes(_ index: Int = 0) -> String {
        String(
            decoding: fixture.log.appends[index].parts[0].events[0].attributes ?? [],
            as: UTF8.self)
    }

    @Test func `come structured, with source and id as their key`() async throws {
        let answer = try await publish(
            "application/cloudevents+json; charset=UTF-8", Self.structured, ["ce-id": "ignored"])
        #expect(answer.status == 201)
        #expect(answer.body.contains(#""first_offset":1"#))
        let part = fixture.log.appends[0].parts[0]
        #expect(part.idempotency?.text == "c:/s 1")
        #expect(part.events[0].eventID == "1")
        #expect(attributes() == #"{"specversion":"1.0","source":"/s","type":"t"}"#)
    }

    @Test func `have a digest as their key when source and id are long`() async throws {
        let id = String(repeating: "x", count: 499)
        _ = try await publish(
            "application/cloudevents+json",
            #"{"specversion":"1.0","id":"\#(id)","source":"/s","type":"t"}"#)
        let key = try #require(fixture.log.appends[0].parts[0].idempotency?.text)
        #expect(key.hasPrefix("c:") && !key.contains(" ") && key.utf8.count == 46)
    }

    @Test func `come in binary mode, decoded once (3.1.3.2)`() async throws {
        let answer = try await publish(
            "application/json", " {} ",
            [
                "CE-SpecVersion": "1.0", "ce-id": "\"a \\\" b\"", "ce-source": "/s%2525",
                "ce-type": "t", "ce-subject": "Euro%20%E2%82%AC%20%f0%9f%98%80",
                "ce-partitionkey": "k",
            ])
        #expect(answer.status == 201)
        let event = fixture.log.appends[0].parts[0].events[0]
        #expect(event.eventID == "a \" b")
        #expect(event.key == "k")
        #expect(event.data == Array("{}".utf8))
        #expect(
            attributes() == #"{"specversion":"1.0","source":"/s%25","type":"t","#
                + #""datacontenttype":"application/json","subject":"Euro € 😀"}"#)
    }

    @Test(arguments: [
        ("ce-subject", "%C0%A0", 400), ("ce-subject", "100%", 400),
        ("ce-datacontenttype", "a/b", 400),
        ("sluice-key", "k", 400), ("sluice-event-id", "x", 400), ("content-encoding", "gzip", 415),
        ("ce-id", "2", 400),
    ])
    func `are refused in binary mode for a wrong header`(
        name: String, value: String, status: UInt
    ) async throws {
        let answer = try await publish(
            "application/json", "1",
            ["ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t", name: value])
        #expect(answer.status == status)
        #expect(fixture.log.appends.isEmpty)
    }

    @Test func `are not taken for plain JSON when a header is missing`() async throws {
        let answer = try await publish("application/json", "1", ["ce-id": "1"])
        #expect(answer.status == 400)
        #expect(answer.body.contains(#""field":"ce-specversion""#))
    }

    @Test func `come in batches, each event with its own key and answer (3.3)`() async throws {
        let second = Self.structured.replacing(#""id":"1""#, with: #""id":"2""#)
        let answer = try await publish(
            "application/cloudevents-batch+json", "[\(Self.structured),\(second)]")
        #expect(answer.status == 201)
        #expect(answer.body.hasPrefix(#"{"results":[{"topic":"a","offset":1,"#))
        #expect(
            fixture.log.appends[0].parts.map { $0.idempotency?.text } == ["c:/s 1", "c:/s 2"])
        _ = try await publish(
            "application/cloudevents-batch+json", "[\(Self.structured),\(second)]",
            ["idempotency-key": "k"])
        #expect(fixture.log.appends[1].parts.map { $0.idempotency?.text } == ["k:k"])
        let empty = try await publish("application/cloudevents-batch+json", "[]")
        #expect(empty.status == 200)
        #expect(empty.body == #"{"results":[]}"#)
        #expect(fixture.log.appends.count == 2)
    }

    @Test func `of one id in a batch are the same event, or refused`() async throws {
        let twice = try await publish(
            "application/cloudevents-batch+json", "[\(Self.structured),\(Self.structured)]")
        #expect(twice.body.contains(#""repeated":true"#))
        #expect(fixture.log.appends[0].parts.count == 1)
        let other = Self.structured.replacing(#""data":1"#, with: #""data":2"#)
        let refused = try await publish(
            "application/cloudevents-batch+json", "[\(Self.structured),\(other)]")
        #expect(refused.code == "idempotency_conflict")
        let conditional = try await publish(
            "application/cloudevents-batch+json", "[\(other)]", ["if-none-match": "*"])
        #expect(conditional.code == "invalid_request")
    }

    @Test func `in other formats, or for many topics, are not supported`() async throws {
        let avro = try await publish("application/cloudevents+avro", "x", ["ce-specversion": "1.0"])
        #expect(avro.status == 415)
        let many = try await fixture.ask(
            .POST, "/v1/events", ["content-type": "application/cloudevents+json"], Self.structured)
        #expect(many.status == 415)
    }

    // MARK: Trace context

    private static let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    @Test func `bring a trace in headers, whatever they are`() async throws {
        let headers: HTTPHeaders = ["traceparent": Self.trace, "tracestate": "a=b"]
        let traced = #""traceparent":"\#(Self.trace)","tracestate":"a=b"}"#
        _ = try await publish("application/json", "1", headers)
        _ = try await publish("application/x-ndjson", "1\n2", headers)
        _ = try await publish("application/cloudevents+json", Self.structured, headers)
        var many = headers
        many.add(name: "content-type", value: "application/x-ndjson")
        _ = try await fixture.ask(
            .POST, "/v1/events", many,
            #"{"topic":"a","data":1,"attributes":{"x":"y"}}"#)
        #expect(attributes(0) == "{" + traced)
        #expect(attributes(1) == "{" + traced)
        #expect(attributes(2) == #"{"specversion":"1.0","source":"/s","type":"t","# + traced)
        #expect(attributes(3) == #"{"x":"y","# + traced)
        _ = try await publish("application/json", "1", ["traceparent": "x", "tracestate": "a=b"])
        #expect(attributes(4) == "")
        let own = Self.structured.replacing("\"data\"", with: #""tracestate":"c=d","data""#)
        _ = try await publish("application/cloudevents+json", own, headers)
        #expect(attributes(5).contains(#""tracestate":"c=d""#) && !attributes(5).contains("parent"))
    }

    @Test func `are the same event with another trace`() async throws {
        for trace in [Self.trace, "x", Self.trace.replacing("-01", with: "-00")] {
            _ = try await publish(
                "application/json", "1", ["traceparent": trace, "sluice-event-id": "e"])
        }
        let digests = Set(fixture.log.appends.map { $0.parts[0].idempotency })
        #expect(digests.count == 1)
        let bare = Array(fakeDigest(Array("1".utf8)).prefix(16))
        #expect(digests.first??.digest == bare)
    }

    // MARK: Out

    private func page(of events: [Event]) throws -> EventPage {
        let topic = try TopicName("a")
        return EventPage(
            position: TopicPosition(
                topic: topic, epoch: ScriptedLog.epoch, earliest: 3, latest: 4),
            purgedBelow: 2, events: events)
    }

    @Test func `come out one by one and as pages, for who accepts them`() async throws {
        let page = try page(
            of: [3, 4].map { offset in
                Event(
                    offset: offset, time: ScriptedLog.time,
                    content: NewEvent(data: Array("{}".utf8)))
            })
        fixture.log.set { $0.pages[page.position.topic] = page }
        let one = try await fixture.ask(
            .GET, "/v1/topics/a/events/3", ["accept": "application/cloudevents+json"])
        #expect(one.headers.contains("content-type: application/cloudevents+json"))
        #expect(
            one.body.hasPrefix(#"{"specversion":"1.0","id":"k3f91-3","source":"/v1/topics/a","#))
        let answer = try await fixture.ask(
            .GET, "/v1/topics/a/events?from=after:k3f91-0",
            ["accept": "application/cloudevents-batch+json"])
        #expect(answer.status == 200)
        #expect(answer.headers.contains("content-type: application/cloudevents-batch+json"))
        #expect(answer.headers.contains("sluice-cursor: k3f91-4"))
        #expect(answer.headers.contains("sluice-caught-up: true"))
        #expect(answer.headers.contains { $0.hasPrefix("link: <") })
        let types = answer.body.split(separator: #""type":""#).dropFirst().map {
            $0.prefix { $0 != "\"" }
        }
        // A gap says its type twice: as the event's, and in the message that is its data.
        #expect(
            types == [
                "sluice.gap", "gap", "sluice.gap", "gap", "sluice.event", "sluice.event",
            ])
        let plain = try await fixture.ask(.GET, "/v1/topics/a/events/3", ["accept": "*/*"])
        #expect(plain.headers.contains("content-type: application/json"))
    }

    @Test func `tell a reset as an event`() async throws {
        let page = try page(of: [])
        fixture.log.set { state in
            state.pages[page.position.topic] = page
            state.resumption = .reset(fork: 4, reason: .restored)
        }
        let answer = try await fixture.ask(
            .GET, "/v1/topics/a/events?from=after:zzzz1-9",
            ["accept": "application/cloudevents-batch+json"])
        #expect(answer.body.contains(#""id":"reset:k3f91-4""#))
        #expect(answer.body.contains(#""type":"sluice.reset""#))
        #expect(answer.headers.contains("sluice-cursor: k3f91-4"))
    }
}
