import NIOCore
import NIOHTTP1
import NIOPosix
import OpenSSLBridge
import Testing
import Transport

@Suite("A client's connection") struct ClientTests {
    private let get = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/")

    private func connect(_ server: TestServer, _ tls: TLSContext) throws {
        _ = try ClientConnector.connect(
            host: "127.0.0.1", port: server.tlsPort, tls: tls,
            group: MultiThreadedEventLoopGroup.singleton
        ).wait()
    }

    @Test func `is not made to a server of an unknown authority`() throws {
        let trust = TLSTrust(includesSystem: true)
        let error = #expect(throws: TLSError.self) {
            try connect(try TestServer(), try TLSContext(.client(trust)))
        }
        #expect(error?.code == .verification)
    }

    @Test func `fails where nobody listens`() throws {
        let port = try TestServer().plainPort
        #expect(throws: (any Error).self) {
            _ = try ClientConnector.connect(
                host: "127.0.0.1", port: port, tls: nil,
                group: MultiThreadedEventLoopGroup.singleton
            ).wait()
        }
    }

    @Test func `ends when an answer is larger than wanted`() throws {
        let server = try TestServer(
            TestService(response: {
                $0.answer(HTTPAnswer(status: .ok, body: ByteBuffer(repeating: 1, count: 1001)))
            }))
        let client = try server.client(.tls13)
        #expect(throws: TransportError.self) {
            _ = try client.send(get, bodyBytesMax: 1000).wait()
        }
        try client.closed.wait()
    }

    @Test func `ends when the server switches protocols unasked`() throws {
        let server = try TestServer(
            TestService(response: {
                $0.answer(HTTPAnswer(status: .switchingProtocols, headers: ["Upgrade": "x"]))
            }))
        let client = try server.client(.plain)
        let error = #expect(throws: TransportError.self) { _ = try client.send(get).wait() }
        #expect(error?.description.contains("unasked") == true)
        try client.closed.wait()
    }

    @Test func `ends when an answer takes too long`() throws {
        let server = try TestServer(
            TestService(response: { exchange in
                exchange.eventLoop.scheduleTask(in: .seconds(2)) { exchange.answer(.text("late")) }
            }))
        let client = try server.client(.plain)
        let error = #expect(throws: TransportError.self) {
            _ = try client.send(get, timeout: .milliseconds(20)).wait()
        }
        #expect(error?.description.contains("did not answer") == true)
    }

    @Test func `fails what is awaited when the server goes away`() throws {
        let server = try TestServer(
            TestService(response: { exchange in
                exchange.eventLoop.scheduleTask(in: .seconds(2)) { exchange.answer(.text("late")) }
            }))
        let client = try server.client(.tls12)
        let answer = client.send(get)
        try server.server.drain(deadline: .now() + .milliseconds(50)).wait()
        #expect(throws: (any Error).self) { _ = try answer.wait() }
        #expect(throws: TransportError.self) { _ = try client.send(get).wait() }
    }

    @Test func `is closed when it is let go`() throws {
        let server = try TestServer()
        var client: HTTPClientConnection? = try server.client(.tls13)
        #expect(try client?.send(get).wait().0.status == .ok)
        let closed = client?.closed
        client = nil
        try closed?.wait()
        #expect(eventually { server.server.connectionCount == 0 })
    }
}
