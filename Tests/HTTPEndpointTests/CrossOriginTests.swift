import AccessControl
import EventModel
import NIOCore
import NIOHTTP1
import Testing
import Transport

@testable import HTTPEndpoint

@Suite("A page of another origin") struct CrossOriginTests {
    private static let page = "https://app.example.com"
    private static let listed = OriginList(["https://App.example.com", "https://*.below.example"])
    private static let bearer: HTTPHeaders = [
        "authorization": "Bearer good", "content-type": "application/json", "origin": page,
    ]
    private static let allowed = [
        "vary: Origin", "access-control-allow-origin: \(page)",
        "access-control-expose-headers: ETag, Location, Link, Retry-After, Allow, "
            + "WWW-Authenticate, Date, Sluice-Cursor, Sluice-Earliest, Sluice-Latest, "
            + "Sluice-Caught-Up, Sluice-Resume-From",
    ]

    private let fixture = BrokerFixture(tokens: ScriptedTokens(), origins: Self.listed)

    private static func isCrossOrigin(_ header: String) -> Bool {
        header.hasPrefix("access-control-") || header.hasPrefix("vary")
    }

    private func told(_ answer: BrokerFixture.Answer) -> [String] {
        answer.headers.filter(Self.isCrossOrigin)
    }

    @Test func `that is listed may read every answer`() async throws {
        var stranger = Self.bearer
        stranger.remove(name: "authorization")
        for (method, uri, headers, status) in [
            (HTTPMethod.POST, "/v1/topics/a/events", Self.bearer, 201),
            (.POST, "/v1/topics/a..b/events", Self.bearer, 400),
            (.GET, "/v1/topics", Self.bearer, 200),
            (.GET, "/v1/topics", stranger, 401), (.POST, "/v1/events", stranger, 401),
            (.GET, "/healthz", stranger, 200), (.GET, "/v1/nothing", Self.bearer, 404),
            (.DELETE, "/v1/events", Self.bearer, 405), (.OPTIONS, "/healthz", stranger, 204),
        ] as [(HTTPMethod, String, HTTPHeaders, UInt)] {
            let answer = try await fixture.ask(method, uri, headers, "1")
            #expect(answer.status == status, "\(method) \(uri)")
            #expect(told(answer) == Self.allowed, "\(method) \(uri)")
        }
    }

    @Test func `may read what it is told once its token was looked up`() async throws {
        let tokens = ScriptedTokens(isSlow: true)
        let fixture = BrokerFixture(tokens: tokens, origins: Self.listed)
        var headers = Self.bearer
        headers.replaceOrAdd(name: "authorization", value: "Bearer bad")
        let answer = try await fixture.begin(.GET, "/v1/topics", headers)
        tokens.arrive()
        #expect(try await answer.get().status == 401)
        #expect(told(try await answer.get()) == Self.allowed)
    }

    @Test func `may read that the node drains, and what the transport refuses`() async throws {
        let head = HTTPRequestHead(
            version: .http1_1, method: .POST, uri: "/v1/events", headers: Self.bearer)
        let refused = BrokerFixture.Answer(
            fixture.broker.refuse(.bodyTooLarge(bodyBytesMax: 1), head: head))
        #expect(refused.status == 413)
        #expect(told(refused) == Self.allowed)
        fixture.broker.drain()
        let drained = try await fixture.ask(.GET, "/v1/topics", Self.bearer)
        #expect(drained.status == 503)
        #expect(told(drained) == Self.allowed)
        let preflight = try await fixture.ask(
            .OPTIONS, "/v1/topics", ["origin": Self.page, "access-control-request-method": "GET"])
        #expect(preflight.status == 204)
    }

    @Test(arguments: ["https://evil.example", "null", "http://app.example.com"])
    func `that is not listed may read nothing`(origin: String) async throws {
        var headers = Self.bearer
        headers.replaceOrAdd(name: "origin", value: origin)
        let answer = try await fixture.ask(.GET, "/v1/topics", headers)
        #expect(answer.status == 200)
        #expect(told(answer) == ["vary: Origin"])
    }

    @Test func `costs those without an origin one look-up, and caches are told`() async throws {
        var headers = Self.bearer
        headers.remove(name: "origin")
        let publish = try await fixture.ask(.POST, "/v1/topics/a/events", headers, "1")
        #expect(told(publish) == [])
        #expect(told(try await fixture.ask(.GET, "/v1/topics", headers)) == ["vary: Origin"])
        for items in [[], ["*"]] {
            let fixture = BrokerFixture(tokens: ScriptedTokens(), origins: OriginList(items))
            #expect(told(try await fixture.ask(.GET, "/v1/topics", headers)) == [])
        }
    }

    @Test func `is any page if all are listed, without its name`() async throws {
        let fixture = BrokerFixture(tokens: ScriptedTokens(), origins: OriginList(["*"]))
        for origin in ["https://any.example", "null"] {
            var headers = Self.bearer
            headers.replaceOrAdd(name: "origin", value: origin)
            let told = told(try await fixture.ask(.GET, "/v1/topics", headers))
            #expect(told.first == "access-control-allow-origin: *")
            #expect(told.count == 2)
        }
    }

    @Test(arguments: [
        "/v1/topics/a/events", "/v1/events", "/v1/tickets", "/healthz", "/v1/nothing",
    ])
    func `may ask before it sends, of any path`(uri: String) async throws {
        let answer = try await fixture.ask(
            .OPTIONS, uri,
            [
                "origin": Self.page, "access-control-request-method": "PUT",
                "access-control-request-headers": "authorization,ce-id,CE-Source,ce-;x,x-other",
            ])
        let methods = "GET, HEAD, POST, PUT, PATCH, DELETE"
        let headers =
            "authorization, content-type, idempotency-key, sluice-event-id, sluice-key, if-match, "
            + "if-none-match, last-event-id, traceparent, tracestate, ce-id, ce-source"
        #expect(
            answer
                == .init(
                    status: 204,
                    headers: [
                        "access-control-allow-methods: \(methods)",
                        "access-control-allow-headers: \(headers)", "access-control-max-age: 7200",
                    ] + Self.allowed, body: ""))
    }

    @Test func `that is not listed is told so when it asks`() async throws {
        let answer = try await fixture.ask(
            .OPTIONS, "/v1/events",
            ["origin": "https://evil.example", "access-control-request-method": "POST"])
        #expect(answer.status == 403)
        #expect(answer.code == "origin_refused")
        #expect(told(answer) == ["vary: Origin"])
    }

    @Test func `changes nothing where nobody needs a token, unless it is listed`() async throws {
        let fixture = BrokerFixture(origins: Self.listed)
        let foreign: HTTPHeaders = [
            "host": "localhost:8443", "origin": "https://evil.example",
            "content-type": "application/json",
        ]
        for (method, uri) in [
            (HTTPMethod.POST, "/v1/topics/a/events"), (.POST, "/v1/events"), (.POST, "/v1/tickets"),
            (.PUT, "/v1/topics/a"), (.DELETE, "/v1/topics/a"), (.POST, "/v1/nothing"),
        ] {
            let answer = try await fixture.ask(method, uri, foreign, "1")
            #expect(answer.status == 403, "\(method) \(uri)")
            #expect(answer.code == "origin_refused")
        }
        #expect(fixture.log.appends.isEmpty)
        #expect(try await fixture.ask(.GET, "/v1/topics", foreign).status == 200)
        for origin in [Self.page, "https://a.below.example", "https://localhost:8443"] {
            var headers = foreign
            headers.replaceOrAdd(name: "origin", value: origin)
            let answer = try await fixture.ask(.POST, "/v1/topics/a/events", headers, "1")
            #expect(answer.status == 201, "\(origin)")
        }
    }

    @Test func `can't send what a form sends to where nobody needs a token`() async throws {
        for type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
            let fixture = BrokerFixture()
            let answer = try await fixture.ask(
                .POST, "/v1/topics/a/events", ["host": "localhost", "content-type": type], "1")
            #expect(answer.status == 415)
            #expect(fixture.log.appends.isEmpty)
        }
    }

    @Test func `reads streams`() throws {
        let node = try FollowedNode(origins: Self.listed)
        let follower = try node.follow("/v1/topics/a/events?follow", "Origin: \(Self.page)\r\n")
        #expect(follower.head.hasPrefix("HTTP/1.1 200 "))
        #expect(follower.head.contains("access-control-allow-origin: \(Self.page)\r\n"))
    }

    @Test func `is no part of an upgrade's answer`() {
        let stream = HTTPStream(status: .switchingProtocols, headers: ["upgrade": "websocket"]) {
            _ in
            preconditionFailure("bug: it is never opened")
        }
        #expect(stream.adding(["vary": "Origin"]).headers.count == 1)
    }
}
