import AccessControl
import Delivery
import EventModel
import MemoryLog
import SessionEndpoint
import Synchronization
import Testing
import WallClock
import WebSocketCodec

@Suite("Credentials of a WebSocket") struct CredentialTests {
    /// `good` and `other` are known; `away` asks a database that is not there.
    private static let authenticate: Authenticate = { token, completion in
        switch token {
        case "good", "other":
            completion(.success(Identity(tokenID: token, name: token, expires: nil)))
        case "away": completion(.failure(BrokerError(.databaseUnavailable, "away")))
        default: completion(.failure(BrokerError(.unauthorized, "bad")))
        }
    }

    private static let auth = #"{"type":"auth","token":"good"}"#

    @Test func `in the header admit or are refused before the upgrade`() async throws {
        let node = try TestNode(authenticate: Self.authenticate)
        for header in ["bearer good", "Bearer  good"] {
            _ = try await TestClient.session(node, header: header)
        }
        for (header, status) in [("Bearer bad", 401), ("Basic good", 401), ("Bearer away", 503)] {
            for path in ["/v1/connect", "/a"] {
                let error = await #expect(throws: TestClient.Refused.self) {
                    try await TestClient.open(node, path, header: header)
                }
                #expect(error?.status == UInt(status))
            }
        }
    }

    @Test func `in the subprotocol are refused where a browser can read it`() async throws {
        let node = try TestNode(authenticate: Self.authenticate)
        for (path, name) in [("/v1/connect", "sluice.v1"), ("/a", "sluice.events.v1")] {
            let client = try await TestClient.open(
                node, path, subprotocols: [name, "bearer.bad"])
            #expect(try await client.told(1) == ["error - unauthorized"])
            #expect(try await client.close() == 4202)
        }
        let client = try await TestClient.open(node, subprotocols: ["sluice.v1", "bearer.good"])
        #expect(try await client.told(1) == ["welcome"])
    }

    @Test func `of a ticket admit once, and are refused where a browser can read it`()
        async throws
    {
        let tickets = TicketOffice.of(["b", "c"], expires: nil)
        let node = try TestNode(authenticate: Self.authenticate, tickets: tickets)
        let (b, c) = (TicketOffice.text("b"), TicketOffice.text("c"))
        let session = try await TestClient.open(node, "/v1/connect?ticket=\(b)")
        #expect(try await session.told(1) == ["welcome"])
        let stream = try await TestClient.open(node, "/a?ticket=\(c)")
        #expect(try await stream.told(1) == ["live -"])
        for path in ["/v1/connect?ticket=\(b)", "/a?ticket=\(c)", "/a?ticket=bad"] {
            let client = try await TestClient.open(node, path)
            #expect(try await client.told(1) == ["error - unauthorized"])
            #expect(try await client.close() == 4202)
        }
    }

    @Test func `of a ticket do not come with a token`() async throws {
        let node = try TestNode(
            authenticate: Self.authenticate, tickets: .of(["a"], expires: nil))
        let path = "/v1/connect?ticket=\(TicketOffice.text("a"))"
        let error = await #expect(throws: TestClient.Refused.self) {
            try await TestClient.open(node, path, header: "Bearer good")
        }
        #expect(error?.status == 400)
        let client = try await TestClient.open(
            node, path, subprotocols: ["sluice.v1", "bearer.good"])
        #expect(try await client.told(1) == ["error - invalid_request"])
        #expect(try await client.close() == 4202)
        let alone = try await TestClient.open(node, path)
        #expect(try await alone.told(1) == ["welcome"])
    }

    @Test func `of a ticket last as long as its token`() async throws {
        let expires = Timestamp.now.advanced(by: .seconds(2))
        let node = try TestNode(
            authenticate: Self.authenticate, tickets: .of(["a", "b"], expires: expires))
        let clients = [
            try await TestClient.open(node, "/v1/connect?ticket=" + TicketOffice.text("a")),
            try await TestClient.open(node, "/a?ticket=" + TicketOffice.text("b")),
        ]
        for client in clients {
            while try await client.message().short != "closing 4200" { continue }
            #expect(try await client.close() == 4200)
        }
    }

    @Test func `in the first message open the session for what came behind it`() async throws {
        let node = try TestNode(authenticate: Self.authenticate)
        let client = try await TestClient.open(node)
        client.send(Self.auth, #"{"type":"ping","id":1}"#)
        #expect(try await client.told(3) == ["welcome", "authenticated", "pong 1"])
    }

    @Test func `that are bad in the first message close with 4202`() async throws {
        let node = try TestNode(authenticate: Self.authenticate)
        let client = try await TestClient.open(node)
        client.send(#"{"type":"auth","token":"away"}"#)
        #expect(try await client.told(1) == ["error - database_unavailable retry"])
        client.send(#"{"type":"auth","token":"bad"}"#)
        #expect(try await client.told(1) == ["error - unauthorized"])
        #expect(try await client.close() == 4202)
    }

    @Test func `that do not come in time close with 4203`() async throws {
        var limits = Limits()
        limits.authTimeout = .milliseconds(100)
        let node = try TestNode(limits: limits, authenticate: Self.authenticate)
        let client = try await TestClient.open(node)
        #expect(try await client.told(1) == ["error - unauthorized"])
        #expect(try await client.close() == 4203)
    }

    @Test func `are needed before messages may be long`() async throws {
        let node = try TestNode(authenticate: Self.authenticate)
        let data = String(repeating: "x", count: 20 << 10)
        let publish = #"{"type":"publish","id":1,"topic":"a","data":"\#(data)"}"#
        let stranger = try await TestClient.open(node)
        stranger.send(publish)
        #expect(try await stranger.close() == 1009)
        let client = try await TestClient.open(node)
        client.send(Self.auth)
        #expect(try await client.told(2) == ["welcome", "authenticated"])
        client.send(publish)
        #expect(try await client.told(1) == ["published 1 1"])
    }

    @Test func `of a stream end it, and those of a session may be extended before`() async throws {
        let expires = Timestamp.now.advanced(by: .seconds(2))
        let node = try TestNode(authenticate: { token, completion in
            let ends = token == "short" ? expires : nil
            completion(.success(Identity(tokenID: "t", name: "t", expires: ends)))
        })
        let stream = try await TestClient.open(node, "/a", header: "Bearer short")
        let short = try await TestClient.session(node, header: "Bearer short")
        let long = try await TestClient.session(node, header: "Bearer short")
        long.send(#"{"type":"auth","id":1,"token":"long"}"#)
        #expect(try await long.told(1) == ["authenticated"])
        for client in [stream, short] {
            while try await client.message().short != "closing 4200" { continue }
            #expect(try await client.close() == 4200)
        }
        long.send(#"{"type":"ping","id":2}"#)
        #expect(try await long.told(1) == ["pong 2"])
    }

    @Test func `of somebody else do not change who publishes`() async throws {
        let publishers = Mutex<[String?]>([])
        let node = try TestNode(
            wrapping: { log in
                ObservedLog(
                    log,
                    appending: { append in
                        publishers.withLock { $0.append(append.publisher?.tokenID) }
                    })
            },
            authenticate: Self.authenticate)
        let client = try await TestClient.session(node, header: "Bearer good")
        client.send(#"{"type":"auth","id":1,"token":"other"}"#)
        #expect(try await client.told(1) == ["error 1 forbidden"])
        client.send(#"{"type":"publish","id":2,"topic":"a","data":1}"#)
        #expect(try await client.told(1) == ["published 2 1"])
        #expect(publishers.withLock { $0 } == ["good"])
    }

    @Test(arguments: [nil, "Bearer good"])
    func `that are known only when the connection is gone do nothing`(header: String?) async throws
    {
        let held = HeldQuestions()
        let node = try TestNode(authenticate: { token, completion in
            held.hold { Self.authenticate(token, completion) }
        })
        if header == nil {
            let client = try await TestClient.open(node)
            client.send(Self.auth)
            try await eventually("the question") { held.count == 1 }
            client.vanish()
            try await eventually("the end") { await node.connectionCount() == 0 }
        } else {
            let opening = Task { try await TestClient.open(node, header: header) }
            try await eventually("the question") { held.count == 1 }
            // It ends before the broker has answered.
            try await node.abortAll()
            _ = try? await opening.value
        }
        held.answer()
        #expect(await node.connectionCount() == 0)
    }

    @Test func `refused among held messages end the session in silence`() async throws {
        let held = HeldQuestions()
        let node = try TestNode(
            faultsPerMinuteMax: 1,
            authenticate: { token, completion in
                held.hold { Self.authenticate(token, completion) }
            })
        try await node.publish("a", "1")
        for _ in 0..<2 {
            let client = try await TestClient.open(node)
            client.send(Self.auth, #"{"type":"subscribe","id":1,"topic":"a"}"#, "{}")
            client.send(frame: .ping)
            while try await client.next() != .pong { continue }
            held.answer()
            #expect(
                try await client.told(4)
                    == ["welcome", "authenticated", "error - invalid_request", "closing 4502"])
            #expect(try await client.next() == .close(4502, "too_many_errors"))
        }
    }
}
