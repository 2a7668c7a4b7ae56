import EventModel
import NIOHTTP1
import Testing

@testable import HTTPEndpoint

/// Offsets 3 to 5 are kept, of which 4 has line breaks; 1 was purged, retention took 2.
@Suite("The forms of a page") struct PageFormTests {
    private let fixture = BrokerFixture()
    private let lines: HTTPHeaders = ["accept": "application/x-ndjson"]

    init() throws {
        let topic = try TopicName("a")
        let events = [(3, "3.0"), (4, "{\r\n\"b\" : \"\\n\"\n}"), (5, "5")].map { offset, data in
            Event(
                offset: Offset(offset), time: Timestamp(microseconds: Int64(offset) * 1_000_000),
                content: NewEvent(data: Array(data.utf8)))
        }
        fixture.log.set { state in
            state.pages[topic] = EventPage(
                position: TopicPosition(
                    topic: topic, epoch: ScriptedLog.epoch, earliest: 3, latest: 5),
                purgedBelow: 2, events: events)
        }
    }

    private func page(
        _ query: String, _ headers: HTTPHeaders = [:]
    ) async throws -> BrokerFixture.Answer {
        try await fixture.ask(.GET, "/v1/topics/a/events?\(query)", headers)
    }

    @Test func `as lines, each a message, with where it goes on in the head`() async throws {
        let answer = try await page("limit=2", lines)
        let expected = BrokerFixture.Answer(
            status: 200,
            headers: [
                #"link: </v1/topics/a/events?from=after:k3f91-4&limit=2>; rel="next""#,
                "sluice-cursor: k3f91-4", "sluice-caught-up: false",
                "content-type: application/x-ndjson",
            ],
            body: #"{"type":"event","topic":"a","offset":3,"cursor":"k3f91-3","#
                + #""time":"1970-01-01T00:00:03.000000Z","data":3.0}"# + "\n"
                + #"{"type":"event","topic":"a","offset":4,"cursor":"k3f91-4","#
                + #""time":"1970-01-01T00:00:04.000000Z","data":{  "b" : "\n" }}"# + "\n")
        #expect(answer == expected)
    }

    @Test func `as lines tells resets and gaps before the events`() async throws {
        fixture.log.set { $0.resumption = .reset(fork: 0, reason: .restored) }
        let answer = try await page("from=after:old-9", lines)
        let kinds = answer.body.split(separator: "\n").map { line in
            line.split(separator: "\"")[3] + (line.contains("purged") ? " purged" : "")
        }
        #expect(kinds == ["reset", "gap purged", "gap", "event", "event", "event"])
        #expect(
            answer.body.hasPrefix(
                #"{"type":"reset","topic":"a","cursor":"k3f91-0","reason":"restored"}"# + "\n"))
        #expect(answer.headers.contains("sluice-caught-up: true"))
    }

    @Test func `as lines is empty where nothing is`() async throws {
        let answer = try await page("from=latest", lines)
        #expect(answer.status == 200 && answer.body == "")
        #expect(answer.headers.contains("sluice-cursor: k3f91-5"))
    }

    @Test func `of bare data is an array, byte for byte`() async throws {
        let answer = try await page("view=data&limit=2")
        #expect(answer.body == "[3.0,{\r\n\"b\" : \"\\n\"\n}]")
        let expected = [
            #"link: </v1/topics/a/events?from=after:k3f91-4&limit=2&view=data>; rel="next""#,
            "sluice-cursor: k3f91-4", "sluice-caught-up: false", "content-type: application/json",
        ]
        #expect(answer.headers == expected)
        #expect(try await page("view=data&from=latest").body == "[]")
    }

    @Test func `of bare data as lines can be published as it came`() async throws {
        let answer = try await page("view=data", lines)
        #expect(answer.body == "3.0\n{  \"b\" : \"\\n\" }\n5\n")
        let again = try await fixture.ask(
            .POST, "/v1/topics/b/events", ["content-type": "application/x-ndjson"], answer.body)
        #expect(again.status == 201 && again.body.contains(#""last_offset":3"#))
    }

    @Test(arguments: [false, true])
    func `of bare data that would have to tell more is refused with where it goes on`(
        isReset: Bool
    ) async throws {
        if isReset { fixture.log.set { $0.resumption = .reset(fork: 3, reason: .restored) } }
        for headers in [lines, [:]] {
            let answer = try await page("view=data&from=after:k3f91-0", headers)
            #expect(answer.status == 410 && answer.code == "offset_expired")
            let cursor = isReset ? "k3f91-3" : "k3f91-2"
            #expect(answer.body.hasSuffix(#","cursor":"\#(cursor)"}"#))
            #expect(answer.headers.contains("sluice-cursor: \(cursor)"))
            let next = "/v1/topics/a/events?from=after:\(cursor)&limit=100&view=data"
            #expect(answer.headers.contains("link: <\(next)>; rel=\"next\""))
        }
        #expect(try await page("view=data&from=after:k3f91-3").status == (isReset ? 410 : 200))
    }

    @Test func `is JSON unless lines are liked better`() async throws {
        for (accept, type) in [
            ("*/*", "json"), ("application/*", "json"), ("application/x-ndjson", "x-ndjson"),
            ("application/json;q=0.5, application/x-ndjson", "x-ndjson"),
        ] {
            let answer = try await page("limit=1", ["accept": accept])
            #expect(answer.headers.contains("content-type: application/\(type)"), "\(accept)")
        }
    }
}
