import EventModel
import NIOHTTP1
import Testing

@testable import HTTPEndpoint

@Suite("Without access control, a request's Host") struct LoopbackHostTests {
    private static let targets: [(HTTPMethod, String, HTTPHeaders)] = [
        (.POST, "/v1/topics/a/events", ["content-type": "application/json"]),
        (.POST, "/v1/events", ["content-type": "application/x-ndjson"]),
        (.GET, "/v1/topics", [:]), (.GET, "/healthz", [:]),
        (.GET, "/v1/connect", ["upgrade": "websocket"]),
        (.GET, "/v1/topics/a/events", ["upgrade": "websocket"]),
    ]

    @Test(arguments: [
        "localhost", "localhost:8443", "LocalHost:1", "a.b.localhost", "127.0.0.1",
        "127.255.0.3:65535", "[::1]", "[::1]:8443", "localhost:",
    ])
    func `is this machine's own`(host: String) async throws {
        for (method, uri, fields) in Self.targets {
            var headers = fields
            headers.add(name: "host", value: host)
            let answer = try await BrokerFixture().ask(
                method, uri, headers, #"{"topic":"a","data":1}"#)
            #expect([200, 201, 418].contains(answer.status), "\(method) \(uri)")
        }
    }

    @Test(arguments: [
        "evil.example", "evil.example:8443", "localhost.evil.example", "127.0.0.1.evil.example",
        "notlocalhost", "128.0.0.1", "127.0.0.256", "127.0.0", "127.+0.0.1", "[::2]", "[::1].evil",
        "[::1", "[localhost]", "::1", "localhost:a", "localhost:1:2", "evil@localhost", "0.0.0.0",
        "",
    ])
    func `is nobody else's, so that no page's name can be made to lead here`(host: String)
        async throws
    {
        for (method, uri, fields) in Self.targets {
            var headers = fields
            headers.add(name: "host", value: host)
            let fixture = BrokerFixture()
            let answer = try await fixture.ask(method, uri, headers, "1")
            #expect(answer.status == 403)
            #expect(answer.code == "origin_refused")
            #expect(answer.body.contains("Use localhost, 127.0.0.1 or [::1] in the address"))
            #expect(fixture.log.appends.isEmpty)
        }
    }

    @Test func `is whatever it likes where a token is asked for`() async throws {
        let fixture = BrokerFixture(tokens: ScriptedTokens())
        let headers: HTTPHeaders = [
            "host": "broker.example", "content-type": "application/json",
            "authorization": "Bearer good",
        ]
        let answer = try await fixture.ask(.POST, "/v1/topics/a/events", headers, "1")
        #expect(answer.status == 201)
    }
}
