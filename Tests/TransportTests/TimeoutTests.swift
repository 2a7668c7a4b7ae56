import NIOCore
import NIOHTTP1
import Testing
import RawClient
import Transport

@Suite("A client that takes its time") struct TimeoutTests {
    /// Every timeout is long but the one that a test is about.
    private func limits(_ change: (inout TransportLimits) -> Void) -> TransportLimits {
        var limits = TransportLimits()
        limits.handshakeTimeout = .hours(1)
        limits.headTimeout = .hours(1)
        limits.bodyIdleTimeout = .hours(1)
        limits.bodyTimeout = .hours(1)
        limits.keepAliveTimeout = .hours(1)
        limits.answerStallTimeout = .hours(1)
        limits.closeTimeout = .hours(1)
        limits.lingerTimeout = .hours(1)
        limits.tick = .milliseconds(5)
        change(&limits)
        return limits
    }

    @Test func `is closed when it says nothing`() throws {
        let server = try TestServer(limits: limits { $0.headTimeout = .milliseconds(30) })
        #expect(try server.conversation("").isEmpty)
    }

    @Test func `is closed when it begins no handshake`() throws {
        let server = try TestServer(limits: limits { $0.handshakeTimeout = .milliseconds(30) })
        let client = try RawClient(port: server.tlsPort)
        #expect(try client.receive().isEmpty)
    }

    @Test func `is told when its headers never end, however busy it is`() throws {
        let server = try TestServer(limits: limits { $0.headTimeout = .milliseconds(100) })
        let client = try server.raw()
        try client.send("GET / HTTP/1.1\r\n")
        MultiThreadedSender.run {
            while (try? client.send("A: b\r\n")) != nil, Slowly.pause() {}
        }
        #expect(try client.receiveAll().hasPrefix("HTTP/1.1 408 "))
    }

    @Test func `is told when its body stops`() throws {
        let server = try TestServer(limits: limits { $0.bodyIdleTimeout = .milliseconds(30) })
        let text = try server.conversation(
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")
        #expect(text.hasPrefix("HTTP/1.1 408 "))
    }

    @Test func `is told when its body drips for ever`() throws {
        let server = try TestServer(limits: limits { $0.bodyTimeout = .milliseconds(100) })
        let client = try server.raw()
        try client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n")
        MultiThreadedSender.run { while (try? client.send("a")) != nil, Slowly.pause() {} }
        #expect(try client.receiveAll().hasPrefix("HTTP/1.1 408 "))
    }

    @Test func `is closed when it sends no further request`() throws {
        let server = try TestServer(limits: limits { $0.keepAliveTimeout = .milliseconds(30) })
        let text = try server.conversation("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(text.hasSuffix("GET /"))
    }

    @Test func `is not closed while its answer takes long`() throws {
        let server = try TestServer(
            TestService(response: { exchange in
                exchange.eventLoop.scheduleTask(in: .milliseconds(100)) {
                    exchange.answer(.text("late", closes: true))
                }
            }),
            limits: limits {
                $0.keepAliveTimeout = .milliseconds(10)
                $0.bodyIdleTimeout = .milliseconds(10)
                $0.headTimeout = .milliseconds(10)
            })
        #expect(
            try server.conversation("GET / HTTP/1.1\r\nHost: x\r\n\r\n").hasSuffix("late"))
    }

    @Test func `is cut off when it takes none of its answer`() throws {
        let server = try TestServer(
            TestService(response: { exchange in
                let body = ByteBuffer(repeating: 1, count: 50 << 20)
                exchange.answer(HTTPAnswer(status: .ok, body: body))
            }), limits: limits { $0.answerStallTimeout = .milliseconds(50) })
        let client = try server.raw()
        try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(eventually { server.server.connectionCount == 1 })
        #expect(eventually { server.server.connectionCount == 0 })
    }

    @Test func `does not hold a closed connection for ever`() throws {
        let server = try TestServer(limits: limits { $0.lingerTimeout = .milliseconds(30) })
        let client = try server.raw()
        try client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        _ = try client.receiveAll()
        #expect(eventually { server.server.connectionCount == 0 })
        client.close()
    }
}
