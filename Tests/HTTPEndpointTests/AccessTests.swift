import EventModel
import NIOCore
import NIOHTTP1
import Testing
import Transport

@testable import HTTPEndpoint

@Suite("A request's sender") struct AccessTests {
    private static let json: HTTPHeaders = ["content-type": "application/json"]
    private static let good: HTTPHeaders = [
        "content-type": "application/json", "authorization": "bearer good",
    ]

    @Test func `is let in by a bearer token, and is the append's publisher`() async throws {
        let fixture = BrokerFixture(tokens: ScriptedTokens())
        let answer = try await fixture.ask(.POST, "/v1/topics/a/events", Self.good, "1")
        #expect(answer.status == 201)
        #expect(fixture.log.appends[0].publisher?.tokenID == "t1")
    }

    @Test func `is refused without a token, with the challenge`() async throws {
        let fixture = BrokerFixture(tokens: ScriptedTokens())
        let answer = try await fixture.ask(.POST, "/v1/topics/a/events", Self.json, "1")
        #expect(answer.status == 401)
        #expect(answer.headers.contains(#"www-authenticate: Bearer realm="sluice""#))
        #expect(answer.body.contains(#""committed":"no""#))
    }

    @Test(arguments: ["Bearer bad", "Basic good", "Bearer", "Bearer  ", "good", "Bearer a b"])
    func `is refused with a bad token, never telling it`(header: String) async throws {
        let fixture = BrokerFixture(tokens: ScriptedTokens())
        for method in [HTTPMethod.POST, .GET] {
            let answer = try await fixture.ask(
                method, "/v1/topics/a/events",
                ["content-type": "application/json", "authorization": header], "1")
            #expect(answer.code == "unauthorized")
            let challenge = #"www-authenticate: Bearer realm="sluice", error="invalid_token""#
            #expect(answer.headers.filter { $0.hasPrefix("www-authenticate") } == [challenge])
            #expect(!answer.body.contains("good") && !answer.body.contains("bad"))
        }
    }

    @Test func `is refused before a large body is read`() async throws {
        let fixture = BrokerFixture(tokens: ScriptedTokens())
        let head = HTTPRequestHead(
            version: .http1_1, method: .POST, uri: "/v1/events",
            headers: ["content-length": "10000000"])
        let status = try await BrokerFixture.eventLoop.submit { () -> HTTPResponseStatus in
            let admission = fixture.broker.admit(head, from: BrokerFixture.connection)
            if case .answer(let answer) = admission { return answer.status }
            return .ok
        }.get()
        #expect(status == .unauthorized)
    }

    @Test(arguments: [
        ["content-length": "9"], ["content-length": "10000000"],
        ["transfer-encoding": "chunked"],
        ["transfer-encoding": "chunked", "expect": "100-continue"],
    ])
    func `is known before anything of a body is collected`(fields: HTTPHeaders) async throws {
        let tokens = ScriptedTokens(isSlow: true)
        let fixture = BrokerFixture(tokens: tokens)
        var headers = Self.good
        headers.add(contentsOf: fields)
        for (method, uri) in [
            (HTTPMethod.POST, "/v1/events"), (.POST, "/v1/topics/a/events"),
            (.PUT, "/v1/topics/a"), (.GET, "/v1/topics"),
        ] {
            let head = HTTPRequestHead(
                version: .http1_1, method: method, uri: uri, headers: headers)
            let isPending = try await BrokerFixture.eventLoop.submit {
                let admission = fixture.broker.admit(head, from: BrokerFixture.connection)
                return if case .pending = admission { true } else { false }
            }.get()
            #expect(isPending, "\(method) \(uri)")
        }
    }

    @Test func `waits for a token that has to be looked up, in the order of the connection`()
        async throws
    {
        let tokens = ScriptedTokens(isSlow: true)
        let fixture = BrokerFixture(tokens: tokens)
        let target = "/v1/topics/a/events"
        let first = try await fixture.begin(.POST, target, Self.good, "1")
        let refused = try await fixture.begin(.POST, target, Self.json, "2")
        let third = try await fixture.begin(.POST, target, Self.good, "3")
        #expect(fixture.log.appends.isEmpty)
        tokens.arrive()
        #expect(try await first.get().status == 201)
        #expect(try await refused.get().status == 401)
        #expect(try await third.get().status == 201)
        #expect(fixture.log.appends.map { $0.parts[0].events[0].data } == [[0x31], [0x33]])
    }

    @Test func `needs no token for health and the catalogue`() async throws {
        let fixture = BrokerFixture(tokens: ScriptedTokens())
        for path in ["/healthz", "/readyz", "/v1/errors", "/v1/errors/forbidden"] {
            #expect(try await fixture.ask(.GET, path).status == 200)
        }
        #expect(try await fixture.ask(.GET, "/v1/topics").status == 401)
    }

    @Test func `leaves upgrades to who makes them`() async throws {
        let fixture = BrokerFixture(tokens: ScriptedTokens())
        let upgrade: HTTPHeaders = ["upgrade": "h2c, WebSocket"]
        #expect(try await fixture.ask(.GET, "/v1/connect?batch=1", upgrade).body == "connect")
        #expect(
            try await fixture.ask(.GET, "/v1/topics/a%2Eb/events?from=latest", upgrade).body
                == "topic(a.b)")
        #expect(
            try await fixture.ask(.GET, "/v1/topics/a..b/events", upgrade).code == "invalid_topic")
    }
}
