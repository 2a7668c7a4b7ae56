import EventModel
import NIOCore
import NIOHTTP1
import Testing

@testable import HTTPEndpoint

/// Offsets 3 to 5 are kept; 1 was purged, retention took 2.
@Suite("Reading events over HTTP") struct EventRouteTests {
    private let fixture = BrokerFixture()

    init() throws {
        let topic = try TopicName("a")
        let events = (3...5).map { offset in
            Event(
                offset: Offset(offset), time: Timestamp(microseconds: Int64(offset) * 1_000_000),
                content: NewEvent(data: Array("\(offset).0".utf8), key: offset == 3 ? "k" : nil))
        }
        fixture.log.set { state in
            state.pages[topic] = EventPage(
                position: TopicPosition(
                    topic: topic, epoch: ScriptedLog.epoch, earliest: 3, latest: 5),
                purgedBelow: 2, events: events)
        }
    }

    private func page(_ query: String) async throws -> BrokerFixture.Answer {
        try await fixture.ask(.GET, "/v1/topics/a/events\(query)")
    }

    /// The offsets and the part behind the events.
    private func summary(_ query: String) async throws -> String {
        let body = try await page(query).body
        let offsets = body.split(separator: #""offset":"#).dropFirst().map { String($0.prefix(1)) }
        let rest = body.firstRange(of: #"],"gaps""#).map { String(body[$0.lowerBound...]) }
        return offsets.joined(separator: ",") + (rest ?? "")
    }

    @Test func `gives a page with the link to the next`() async throws {
        let answer = try await page("?limit=2")
        let expected = BrokerFixture.Answer(
            status: 200,
            headers: [
                "content-type: application/json",
                #"link: </v1/topics/a/events?from=after:k3f91-4&limit=2>; rel="next""#,
            ],
            body: #"{"events":[{"type":"event","topic":"a","offset":3,"cursor":"k3f91-3","#
                + #""time":"1970-01-01T00:00:03.000000Z","key":"k","data":3.0},"#
                + #"{"type":"event","topic":"a","offset":4,"cursor":"k3f91-4","#
                + #""time":"1970-01-01T00:00:04.000000Z","data":4.0}],"gaps":[],"reset":null,"#
                + #""cursor":"k3f91-4","earliest":3,"latest":5,"caught_up":false}"#)
        #expect(answer == expected)
    }

    private static let end = #""earliest":3,"latest":5,"caught_up":true}"#

    @Test(arguments: [
        ("", "3,4,5", "5"), ("?from=earliest", "3,4,5", "5"), ("?from=latest", "", "5"),
        ("?from=last:2", "4,5", "5"), ("?from=last:9", "3,4,5", "5"), ("?from=offset:5", "5", "5"),
        ("?from=offset:6", "", "5"), ("?from=after:old-4", "5", "5"),
        ("?from=time:1970-01-01T00:00:04Z", "4,5", "5"), ("?from=ago:996s", "4,5", "5"),
        ("?from=mark:latest.memory0001.2dqf4", "4,5", "5"),
        ("?from=mark:last-1.memory0001.2dqf4", "3,4,5", "5"),
    ]) func `starts where it is asked to`(
        query: String, offsets: String, cursor: String
    ) async throws {
        let expected = #"\#(offsets)],"gaps":[],"reset":null,"cursor":"k3f91-\#(cursor)","#
        #expect(try await summary(query) == expected + Self.end)
    }

    @Test func `tells what is missing, the purged part first`() async throws {
        let expected =
            #"3,4,5],"gaps":[{"type":"gap","topic":"a","from":1,"to":1,"cursor":"k3f91-1","#
            + #""reason":"purged"},{"type":"gap","topic":"a","from":2,"to":2,"#
            + #""cursor":"k3f91-2","reason":"retention"}],"reset":null,"cursor":"k3f91-5","#
        #expect(try await summary("?from=offset:1") == expected + Self.end)
    }

    @Test func `tells a reset and goes on from the fork`() async throws {
        fixture.log.set { $0.resumption = .reset(fork: 4, reason: .restored) }
        let expected =
            #"5],"gaps":[],"reset":{"cursor":"k3f91-4","reason":"restored"},"cursor":"k3f91-5","#
        #expect(try await summary("?from=after:old-9") == expected + Self.end)
    }

    @Test(arguments: [
        ("?filter=$>4", "5", "5", "true"), ("?filter=$%20!=%204", "3,5", "5", "true"),
        ("?filter=$+%3E+4+||+$+==+\"%2B\"", "5", "5", "true"), ("?filter=$==9", "", "5", "true"),
        ("?filter=$key==\"k\"", "3", "5", "true"),
        ("?filter=$topic==\"b\"", "", "5", "true"),
        ("?filter=$<9&limit=2", "3,4", "4", "false"),
        ("?filter=$<5&from=last:2", "4", "5", "true"),
    ]) func `holds only what a filter lets through, and goes on behind all it looked at`(
        query: String, offsets: String, cursor: String, isCaughtUp: String
    ) async throws {
        #expect(
            try await summary(query) == #"\#(offsets)],"gaps":[],"reset":null,"cursor":"k3f91-"#
                + #"\#(cursor)","earliest":3,"latest":5,"caught_up":\#(isCaughtUp)}"#)
    }

    @Test func `tells what is missing before what a filter looked at`() async throws {
        let expected =
            #"5],"gaps":[{"type":"gap","topic":"a","from":1,"to":1,"cursor":"k3f91-1","#
            + #""reason":"purged"},{"type":"gap","topic":"a","from":2,"to":2,"#
            + #""cursor":"k3f91-2","reason":"retention"}],"reset":null,"cursor":"k3f91-5","#
        #expect(try await summary("?from=offset:1&filter=$==5") == expected + Self.end)
    }

    @Test func `links to the next with the filter`() async throws {
        let answer = try await page("?limit=1&filter=$.a%20==%20\"%3E%26\"%20||%20$==3")
        #expect(
            answer.headers.contains(
                "link: </v1/topics/a/events?from=after:k3f91-3&limit=1&filter="
                    + "%24.a%20%3D%3D%20%22%3E%26%22%20%7C%7C%20%24%3D%3D3>; rel=\"next\""))
    }

    @Test(arguments: [("$.active", 8), ("", 0), ("$.a%20=%201", 4)])
    func `refuses a filter with the byte at which it goes wrong`(
        filter: String, byte: Int
    ) async throws {
        let answer = try await page("?filter=\(filter)")
        #expect(answer.status == 400 && answer.code == "invalid_filter")
        #expect(answer.body.contains(#""at":{"byte":\#(byte),"field":"filter"}"#))
    }

    @Test func `gives one event`() async throws {
        let answer = try await fixture.ask(.GET, "/v1/topics/a/events/4")
        #expect(answer.status == 200)
        #expect(answer.body.hasSuffix(#""data":4.0}"#))
        #expect(answer.headers.contains(#"etag: "k3f91-4""#))
        #expect(answer.headers.contains("cache-control: no-cache"))
    }

    @Test(arguments: [
        (#""k3f91-4""#, 304), (#"W/"k3f91-4""#, 304), (#""x", "k3f91-4""#, 304), ("*", 304),
        (#""k3f90-4""#, 200), ("k3f91-4", 200),
    ]) func `gives one event only to who does not have it`(
        tag: String, status: UInt
    ) async throws {
        let answer = try await fixture.ask(
            .GET, "/v1/topics/a/events/4", ["if-none-match": tag])
        #expect(answer.status == status && answer.body.isEmpty == (status == 304))
        #expect(answer.headers.contains(#"etag: "k3f91-4""#))
        #expect(answer.headers.contains("cache-control: no-cache"))
    }

    @Test(arguments: [
        ("/v1/topics/a/events/2", 410, "offset_expired"),
        ("/v1/topics/a/events/6", 404, "not_found"),
        ("/v1/topics/a/events/x", 404, "not_found"),
        ("/v1/topics/b/events/1", 404, "topic_not_found"),
        ("/v1/topics/b/events", 404, "topic_not_found"),
        ("/v1/topics/a/events?from=offset:7", 400, "invalid_start"),
        ("/v1/topics/a/events?from=tomorrow", 400, "invalid_start"),
        ("/v1/topics/a/events?from=mark:x", 400, "invalid_start"),
        ("/v1/topics/a/events?limit=1001", 400, "invalid_request"),
        ("/v1/topics/a/events?colour=1", 400, "unknown_field"),
        ("/v1/topics/a/events?wait=1", 400, "invalid_request"),
        ("/v1/topics/a/events?wait=61s", 400, "invalid_request"),
        ("/v1/topics/a/events?view=keys", 400, "invalid_request"),
    ]) func `says what is wrong`(uri: String, status: UInt, code: String) async throws {
        let answer = try await fixture.ask(.GET, uri)
        #expect(answer.status == status && answer.code == code)
    }

    @Test(arguments: [
        ("*/*", 200), ("text/html, application/json;q=0.5", 200), ("text/csv", 406),
    ]) func `offers JSON, unless other forms are named`(accept: String, status: UInt) async throws {
        let answer = try await fixture.ask(.GET, "/v1/topics/a/events", ["accept": accept])
        #expect(answer.status == status)
    }
}

@Suite("A route that has to wait") struct RouteWaitTests {
    @Test func `goes on and answers on the connection's event loop`() async throws {
        let (fixture, eventLoop) = (BrokerFixture(), BrokerFixture.eventLoop)
        fixture.log.set { $0.holds = true }
        let isOnLoop = eventLoop.makePromise(of: Bool.self)
        let head = HTTPRequestHead(
            version: .http1_1, method: .GET, uri: "/v1/topics/a/events?from=after:k-1")
        let request = IncomingRequest(
            head: head, body: ByteBuffer(), connection: BrokerFixture.connection,
            answer: { _ in isOnLoop.succeed(eventLoop.inEventLoop) }, stream: { _ in })
        let broker = fixture.broker
        let destination = Destination(of: head, in: broker.table)
        try await eventLoop.submit { broker.handle(request, for: destination) }.get()
        #expect(fixture.log.resumed.count == 1)
        fixture.log.release()
        #expect(try await isOnLoop.futureResult.get())
    }
}
