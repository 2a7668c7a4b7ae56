import EventModel
import Testing

@testable import HTTPEndpoint

@Suite("Requests on one connection") struct OverSocketsTests {
    @Test func `are answered byte for byte, and HEAD without the body`() async throws {
        let answers = try await talk(
            BrokerFixture().broker,
            post("{}") + "HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        let expected = """
            HTTP/1.1 201 Created
            content-type: application/json
            location: /v1/topics/a/events/1
            etag: "k3f91-1"
            content-length: 119

            {"topic":"a","cursor":"k3f91-1","first_offset":1,"last_offset":1,\
            "time":"2025-11-23T12:13:20.000001Z","repeated":false}HTTP/1.1 200 OK
            content-type: application/json
            content-length: 15
            connection: close


            """
        #expect(answers.lowercased() == expected.lowercased())
    }

    @Test func `are appended in order when they come together`() async throws {
        let fixture = BrokerFixture()
        let bodies = (1...50).map { "\($0)" }
        let requests = bodies.map { $0 == "50" ? post($0, "Connection: close\r\n") : post($0) }
        let answers = try await talk(fixture.broker, requests.joined())
        #expect(answers.split(separator: "201 Created").count == 51)
        let appended = fixture.log.appends.map {
            String(decoding: $0.parts[0].events[0].data, as: UTF8.self)
        }
        #expect(appended == bodies)
    }

    @Test func `end with a body that is too large`() async throws {
        var limits = Limits()
        limits.bodyBytesMax = 1000
        let fixture = BrokerFixture(limits: limits)
        let head = "POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n"
        let answer = try await talk(fixture.broker, head)
        #expect(answer.hasPrefix("HTTP/1.1 413 "))
        #expect(answer.contains(#""code":"body_too_large""#))
        #expect(answer.contains(#""committed":"no""#))
    }
}
