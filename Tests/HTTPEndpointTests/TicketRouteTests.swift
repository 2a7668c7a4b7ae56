import AccessControl
import EventModel
import NIOHTTP1
import Testing
import Transport

@testable import Delivery
@testable import HTTPEndpoint

@Suite("A ticket over HTTP") struct TicketRouteTests {
    private static let bearer: HTTPHeaders = ["authorization": "Bearer good"]
    private let fixture = BrokerFixture(tokens: ScriptedTokens())

    private func ticket(_ fixture: BrokerFixture) async throws -> String {
        let answer = try await fixture.ask(.POST, "/v1/tickets", Self.bearer)
        #expect(answer.status == 201)
        #expect(answer.headers.contains("cache-control: no-store"))
        let body = answer.body
        let start = try #require(body.firstRange(of: #"{"ticket":"slt_"#)).upperBound
        #expect(body.hasSuffix(#"","expires":"1970-01-01T00:00:30.000000Z"}"#))
        return "slt_" + body[start...].prefix { $0 != "\"" }
    }

    @Test func `lets one request in, of any route that is a GET`() async throws {
        for (method, uri) in [
            (HTTPMethod.GET, "/v1/topics"), (.HEAD, "/v1/topics?limit=1"), (.GET, "/v1/topics/a"),
        ] {
            let ticket = try await ticket(fixture)
            let target = uri + (uri.contains("?") ? "&" : "?") + "ticket=\(ticket)"
            #expect([200, 404].contains(try await fixture.ask(method, target).status))
            let again = try await fixture.ask(method, target)
            #expect(again.status == 401)
            #expect(again.body.contains("The ticket is not known: it was used"))
            #expect(again.body.contains("Get a new one with POST /v1/tickets"))
            #expect(!"\(again)".contains(ticket))
        }
    }

    @Test func `is issued to whoever shows a token, and to nobody with a body`() async throws {
        #expect(try await fixture.ask(.POST, "/v1/tickets").status == 401)
        let answer = try await fixture.ask(.POST, "/v1/tickets", Self.bearer, "{}")
        #expect(answer.code == "invalid_request")
        #expect(answer.body.contains("Leave the body out"))
    }

    @Test func `is no way to publish, nor to another ticket`() async throws {
        let ticket = try await ticket(fixture)
        for uri in ["/v1/tickets", "/v1/topics/a/events"] {
            let answer = try await fixture.ask(
                .POST, "\(uri)?ticket=\(ticket)", ["content-type": "application/json"])
            #expect(answer.status == 401)
            #expect(!"\(answer)".contains(ticket))
        }
        let both = try await fixture.ask(.POST, "/v1/tickets?ticket=\(ticket)", Self.bearer)
        #expect(both.code == "unknown_field")
        #expect(!"\(both)".contains(ticket))
    }

    @Test(
        arguments: [
            ("ticket=TICKET", [("authorization", "Bearer good")], "invalid_request"),
            ("ticket=TICKET&ticket=TICKET", [], "unauthorized"), ("ticket=", [], "unauthorized"),
            ("ticket=%zzTICKET", [], "unauthorized"), ("x%zz=TICKET", [], "unauthorized"),
            ("ticket=slc_0123456789_TICKET", [], "unauthorized"),
        ] as [(String, [(String, String)], String)])
    func `is one, alone and whole`(
        query: String, headers: [(String, String)], code: String
    ) async throws {
        let ticket = try await ticket(fixture)
        let target = "/v1/topics?" + query.replacing("TICKET", with: ticket)
        let answer = try await fixture.ask(.GET, target, HTTPHeaders(headers))
        #expect(answer.code == code)
        #expect(!"\(answer)".contains(ticket.dropFirst(4)))
        // It was not used up.
        #expect(try await fixture.ask(.GET, "/v1/topics?ticket=\(ticket)").status == 200)
    }

    @Test func `is never repeated in a refusal, nor in a link`() async throws {
        let ticket = try await ticket(fixture)
        let answer = try await fixture.ask(.GET, "/v1/topics?%zz=\(ticket)", Self.bearer)
        #expect(answer.code == "invalid_request")
        #expect(!"\(answer)".contains(ticket))
        let other = try await fixture.ask(.GET, "/v1/topics?tickets=\(ticket)", Self.bearer)
        #expect(other.code == "unknown_field")
        #expect(!"\(other)".contains(ticket))
    }

    @Test(
        arguments: [
            ("/a?b=c", "/a?b=c", []), ("/a?ticket=x", "/a", ["x"]), ("/a?ticket", "/a", [""]),
            ("/a?b=c&ticket=x&d=%20", "/a?b=c&d=%20", ["x"]), ("/a?%74icket=%78", "/a", ["x"]),
            ("/a?ticket=x&ticket=y", "/a", ["x", "y"]), ("/a?b=ticket&", "/a?b=ticket&", []),
        ] as [(String, String, [String])])
    func `is taken out of the target`(uri: String, target: String, tickets: [String]) {
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: uri)
        let found = TicketedTarget(of: head)
        #expect(found.target == target)
        #expect(found.tickets == tickets)
        let post = HTTPRequestHead(version: .http1_1, method: .POST, uri: uri)
        #expect(TicketedTarget(of: post).target == uri)
    }

    @Test func `begins one stream, which lasts as long as the token`() async throws {
        let tokens = ScriptedTokens()
        let node = try FollowedNode(authenticate: { tokens.authenticate($0, $1) })
        let ticket = try node.ticket(token: "good")
        let accept = "Accept: text/event-stream\r\n"
        let path = "/v1/topics/a/events?ticket=\(ticket)"
        let follower = try node.follow(path, accept)
        #expect(follower.head.hasPrefix("HTTP/1.1 200 "))
        #expect(!follower.head.contains(ticket))
        _ = try follower.line()
        #expect(await node.hub.tokenIDs() == ["t1"])
        #expect(try node.follow(path, accept).head.hasPrefix("HTTP/1.1 401 "))
        node.hub.forEachLoop { $0.end(tokens: ["t1"]) }
        let closing = try #require(try follower.lines(upTo: "closing").last)
        #expect(closing.contains(#""code":4201"#))
    }

    @Test func `is issued and not looked at without access control`() async throws {
        let fixture = BrokerFixture()
        let ticket = try await ticket(fixture)
        for _ in 1...2 {
            #expect(try await fixture.ask(.GET, "/v1/topics?ticket=\(ticket)").status == 200)
        }
    }
}
