import EventModel
import NIOHTTP1
import Testing

@testable import HTTPEndpoint

@Suite("A path of the interface") struct RouteTests {
    private let fixture = BrokerFixture()

    @Test func `that does not exist is answered 404, as a problem document`() async throws {
        let answer = try await fixture.ask(.GET, "/v1/nothing?x=1")
        let expected = BrokerFixture.Answer(
            status: 404, headers: ["content-type: application/problem+json"],
            body: #"{"type":"/v1/errors/not_found","title":"There is nothing at this path","#
                + #""status":404,"detail":"There is nothing at '/v1/nothing'.","#
                + #""code":"not_found","remedy":"Check the path; GET /v1/errors lists the codes, "#
                + #"the README the routes.","request_id":"r_1"}"#)
        #expect(answer == expected)
    }

    @Test(arguments: [
        (HTTPMethod.POST, "/v1/topics/a", "GET, HEAD, PUT, PATCH, DELETE"),
        (.POST, "/v1/topics", "GET, HEAD"),
        (.PUT, "/v1/topics/a/events", "GET, HEAD, POST, DELETE"),
        (.PROPFIND, "/v1/events", "GET, HEAD, POST"),
        (.POST, "/v1/connect", "GET, HEAD"),
    ]) func `says which methods it has`(
        method: HTTPMethod, path: String, allow: String
    ) async throws {
        let answer = try await fixture.ask(method, path)
        #expect(answer.status == 405)
        #expect(answer.code == "method_not_allowed")
        #expect(answer.headers.contains("allow: \(allow)"))
    }

    @Test(arguments: [
        ("/healthz", "GET, HEAD"), ("/v1/topics/a/events", "GET, HEAD, POST, DELETE"),
        ("/v1/events?x=1", "GET, HEAD, POST"), ("*", "GET, HEAD, POST, PUT, PATCH, DELETE"),
    ]) func `tells OPTIONS its methods`(uri: String, allow: String) async throws {
        let answer = try await fixture.ask(.OPTIONS, uri)
        #expect(answer == .init(status: 204, headers: ["allow: \(allow)"], body: ""))
    }

    @Test func `that is a WebSocket asks for an upgrade`() async throws {
        let answer = try await fixture.ask(.GET, "/v1/connect", ["upgrade": "h2c"])
        #expect(answer.status == 426)
        #expect(answer.code == "upgrade_required")
        #expect(answer.headers.contains("upgrade: websocket"))
    }

    @Test func `answers HEAD as GET`() async throws {
        let (get, head) = (
            try await fixture.ask(.GET, "/healthz"), try await fixture.ask(.HEAD, "/healthz")
        )
        #expect(get == head)
        #expect(
            get
                == BrokerFixture.Answer(
                    status: 200, headers: ["content-type: application/json"],
                    body: #"{"status":"ok"}"#))
    }

    @Test func `explains each code of the catalogue`() async throws {
        let answer = try await fixture.ask(.GET, "/v1/errors/draining")
        #expect(
            answer.body
                == #"{"code":"draining","type":"/v1/errors/draining","status":503,"#
                + #""title":"The broker is shutting down","#
                + #""remedy":"Connect again, to another node if there is one.","retryable":true}"#)
        for code in ErrorCode.allCases {
            #expect(try await fixture.ask(.GET, "/v1/errors/\(code.rawValue)").status == 200)
        }
        #expect(try await fixture.ask(.GET, "/v1/errors/none").code == "not_found")
        let list = try await fixture.ask(.GET, "/v1/errors")
        #expect(list.body.split(separator: #"{"code":"#).count == ErrorCode.allCases.count + 1)
    }
}

@Suite("A node's readiness") struct ReadinessTests {
    private let fixture = BrokerFixture()

    @Test func `is said once the log takes work`() async throws {
        #expect(try await fixture.ask(.GET, "/readyz").status == 200)
        fixture.log.set { $0.isReady = false }
        let answer = try await fixture.ask(.GET, "/readyz")
        #expect(answer.status == 503)
        #expect(answer.code == "database_unavailable")
        #expect(try await fixture.ask(.GET, "/healthz").status == 200)
    }

    @Test func `names the parts that are away, since when, why, and what to do`() async throws {
        let away = LogPart(
            name: "append", state: .connecting, time: .seconds(90), reason: .noWritableServer,
            error: "session is read-only")
        fixture.log.set { state in
            state.isReady = false
            state.parts = [
                LogPart(name: "follow", state: .up, time: .seconds(3600)), away,
                LogPart(
                    name: "housekeeping", state: .stuck, time: .seconds(11), reason: .unanswered,
                    isNeeded: false),
            ]
        }
        let answer = try await fixture.ask(.GET, "/readyz")
        #expect(answer.status == 503)
        #expect(answer.body.contains(#""detail":"Not ready for 90 s: no server takes writes"#))
        #expect(answer.body.contains(#""remedy":"Promote a standby"#))
        #expect(
            answer.body.contains(
                #""error":"session is read-only"},{"part":"housekeeping","state":"stuck","since":"#
            ), "\(answer.body)")
        #expect(answer.body.contains(#"{"part":"follow","state":"up","since":""#))
    }

    @Test func `ends with draining, and work is refused with it`() async throws {
        fixture.broker.drain()
        #expect(try await fixture.ask(.GET, "/readyz").code == "draining")
        #expect(try await fixture.ask(.GET, "/v1/topics").code == "draining")
        let answer = try await fixture.publish("1")
        #expect(answer.status == 503)
        #expect(answer.code == "draining")
        #expect(answer.headers.contains("retry-after: 1"))
        #expect(answer.body.contains(#""committed":"no""#))
        #expect(try await fixture.ask(.GET, "/healthz").status == 200)
    }
}
