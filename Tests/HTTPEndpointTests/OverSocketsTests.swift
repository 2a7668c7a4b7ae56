import EventModel
import Testing
import Transport

@testable import HTTPEndpoint

@Suite("Requests on one connection") struct OverSocketsTests {
    @Test func `are answered byte for byte, and HEAD without the body`() async throws {
        let answers = try await talk(
            BrokerFixture().broker,
            post("{}") + "HEAD /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
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

    @Test func `wait for a token that is looked up, in their order and unread`() async throws {
        let tokens = ScriptedTokens(isSlow: true)
        let fixture = BrokerFixture(tokens: tokens)
        let large = "\"" + String(repeating: "x", count: 1_000_000) + "\""
        let requests =
            post("1", "Authorization: Bearer good\r\n") + post("2")
            + post(large, "Authorization: Bearer good\r\n")
            + post("4", "Authorization: Bearer good\r\nConnection: close\r\n")
        let answers = Task { try await talk(fixture.broker, requests) }
        for await _ in tokens.asked { break }
        #expect(tokens.waitingCount == 1)
        #expect(fixture.log.appends.isEmpty)
        tokens.arrive()
        let statuses = try await answers.value.split(separator: "HTTP/1.1 ").map { $0.prefix(3) }
        #expect(statuses == ["201", "401", "201", "201"])
        #expect(
            fixture.log.appends.map(\.parts[0].events[0].data)
                == [[0x31], Array(large.utf8), [0x34]])
    }

    @Test func `of a stranger are refused before their body is asked for`() async throws {
        let tokens = ScriptedTokens(isSlow: true)
        let fixture = BrokerFixture(tokens: tokens)
        let head =
            "POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer bad\r\n"
            + "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
        let answer = Task { try await talk(fixture.broker, head) }
        for await _ in tokens.asked { break }
        tokens.arrive()
        let text = try await answer.value
        #expect(text.hasPrefix("HTTP/1.1 401 "))
        #expect(text.contains("Connection: close"))
        #expect(text.contains(#""committed":"no""#))
    }

    @Test func `bring no body where no token is asked for`() async throws {
        let answer = try await talk(
            BrokerFixture().broker,
            "POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n1")
        #expect(answer.hasPrefix("HTTP/1.1 413 "))
    }

    @Test func `are told to come back when the node holds too many bodies`() async throws {
        var limits = TransportLimits()
        limits.bodiesBytesMax = 1000
        let answer = try await talk(
            BrokerFixture().broker, post(String(repeating: "1", count: 1001)), limits: limits)
        #expect(answer.hasPrefix("HTTP/1.1 429 "))
        #expect(answer.contains("retry-after: 1"))
        #expect(answer.contains(#""code":"rate_limited""#))
        #expect(answer.contains(#""committed":"no""#))
    }

    @Test func `end with a body that is too large`() async throws {
        var limits = Limits()
        limits.bodyBytesMax = 1000
        let fixture = BrokerFixture(limits: limits)
        let head =
            "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n"
        let answer = try await talk(fixture.broker, head)
        #expect(answer.hasPrefix("HTTP/1.1 413 "))
        #expect(answer.contains(#""code":"body_too_large""#))
        #expect(answer.contains(#""committed":"no""#))
    }
}
