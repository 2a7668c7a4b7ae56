import NIOCore
import NIOHTTP1
import Synchronization
import Testing
import RawClient
import Transport

@Suite("Requests on a connection") struct RequestTests {
    private func get(_ uri: String) -> HTTPRequestHead {
        HTTPRequestHead(version: .http1_1, method: .GET, uri: uri)
    }

    @Test(arguments: Wire.allCases) func `are answered`(wire: Wire) throws {
        let server = try TestServer()
        let (head, body) = try server.client(wire).send(get("/a?b=c")).wait()
        #expect(head.status == .ok)
        #expect(head.headers["content-length"] == ["10"])
        #expect(head.headers["content-type"] == ["text/plain"])
        #expect(head.headers["date"].count == 1)
        #expect(String(buffer: body) == "GET /a?b=c")
    }

    @Test(arguments: Wire.allCases) func `bring bodies of any size`(wire: Wire) throws {
        let server = try TestServer(
            TestService(
                admission: { _, _ in .collect(bodyBytesMax: 5_000_000) },
                response: { $0.answer(HTTPAnswer(status: .ok, body: $0.body)) }))
        let client = try server.client(wire)
        for count in [0, 1, 1023, 1024, 1025, 16_384, 70_000, 5_000_000] {
            let sent = ByteBuffer(bytes: (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) })
            let head = HTTPRequestHead(version: .http1_1, method: .POST, uri: "/")
            let (_, body) = try client.send(head, body: sent).wait()
            #expect(body == sent)
        }
    }

    @Test(arguments: Wire.allCases)
    func `are answered in their order by threads that answer in another`(wire: Wire) throws {
        let waiting = Mutex<[HTTPExchange]>([])
        let server = try TestServer(
            TestService(response: { exchange in waiting.withLock { $0.append(exchange) } }))
        let client = try server.client(wire)
        let answers = (0..<20).map { client.send(get("/\($0)")) }
        #expect(eventually { waiting.withLock { $0.count } == 20 })

        for exchange in waiting.withLock({ $0 }).shuffled() {
            let uri = exchange.head.uri
            MultiThreadedSender.run { exchange.answer(.text(uri)) }
        }
        waiting.withLock { $0 = [] }

        let uris = try EventLoopFuture.whenAllSucceed(answers, on: client.eventLoop).wait()
            .map { String(buffer: $0.1) }
        #expect(uris == (0..<20).map { "/\($0)" })
    }

    @Test func `are begun a few at a time when many are pipelined`() throws {
        let waiting = Mutex<[HTTPExchange]>([])
        let most = Atomic(0)
        var limits = TransportLimits()
        limits.pipelinedRequestsMax = 4
        let server = try TestServer(
            TestService(response: { exchange in
                let count = waiting.withLock {
                    $0.append(exchange)
                    return $0.count
                }
                most.max(count, ordering: .relaxed)
            }), limits: limits)
        let client = try server.raw()
        let requests = (0..<500).map { "GET /\($0) HTTP/1.1\r\nHost: x\r\n\r\n" }.joined()
        try client.send(requests + "GET /end HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        var answered = 0
        while answered < 501 {
            #expect(eventually { waiting.withLock { !$0.isEmpty } })
            let ready = waiting.withLock { waiting in
                defer { waiting = [] }
                return waiting
            }
            guard !ready.isEmpty else { break }
            answered += ready.count
            for exchange in ready { exchange.answer(.text("<\(exchange.head.uri)>")) }
        }
        let text = try client.receiveAll()
        let order = text.split(separator: "<").dropFirst().compactMap {
            $0.split(separator: ">").first.map(String.init)
        }
        #expect(order == (0..<500).map { "/\($0)" } + ["/end"])
        #expect(most.load(ordering: .relaxed) <= 4)
    }

    @Test func `with bodies are collected one by one when only one may wait`() throws {
        var limits = TransportLimits()
        limits.pipelinedRequestsMax = 1
        let server = try TestServer(
            TestService(response: { $0.answer(HTTPAnswer(status: .ok, body: $0.body)) }),
            limits: limits)
        let client = try server.client(.tls13)
        let bodies = (0..<10).map { ByteBuffer(repeating: $0, count: 50_000) }
        let head = HTTPRequestHead(version: .http1_1, method: .POST, uri: "/")
        let answers = bodies.map { client.send(head, body: $0) }
        let received = try EventLoopFuture.whenAllSucceed(answers, on: client.eventLoop).wait()
        #expect(received.map(\.1) == bodies)
    }

    @Test func `wait while the client takes no answers`() throws {
        let begun = Atomic(0)
        let big = ByteBuffer(repeating: 120, count: 1 << 20)
        let server = try TestServer(
            TestService(response: { exchange in
                begun.add(1, ordering: .relaxed)
                exchange.answer(HTTPAnswer(status: .ok, body: big))
            }))
        let client = try server.raw()
        let requests = String(repeating: "GET / HTTP/1.1\r\nHost: x\r\n\r\n", count: 100)
        try client.send(requests + "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        #expect(eventually { begun.load(ordering: .relaxed) > 0 })
        // What the kernel buffers for us, and one answer beyond, but never all of them.
        #expect(begun.load(ordering: .relaxed) < 50)

        let bytes = try client.receiveAll().utf8.count

        #expect(begun.load(ordering: .relaxed) == 101)
        #expect(bytes > 101 << 20)
    }

    @Test func `wait while answers wait for an earlier one`() throws {
        let first = Mutex<HTTPExchange?>(nil)
        let begun = Atomic(0)
        let big = ByteBuffer(repeating: 120, count: 1 << 20)
        let server = try TestServer(
            TestService(response: { exchange in
                guard exchange.head.uri != "/other" else { return exchange.answer(.text("other")) }
                begun.add(1, ordering: .relaxed)
                if exchange.head.uri == "/first" {
                    first.withLock { $0 = exchange }
                } else {
                    exchange.answer(HTTPAnswer(status: .ok, body: big))
                }
            }))
        let client = try server.raw()
        let more = String(repeating: "GET / HTTP/1.1\r\nHost: x\r\n\r\n", count: 20)
        try client.send(
            "GET /first HTTP/1.1\r\nHost: x\r\n\r\n" + more
                + "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        #expect(eventually { begun.load(ordering: .relaxed) >= 2 })
        // On the same loop, so whatever could be begun was begun before.
        _ = try server.client(.plain).send(get("/other")).wait()
        #expect(begun.load(ordering: .relaxed) == 2)

        first.withLock { $0.take() }?.answer(.text("first"))
        #expect(try client.receiveAll().utf8.count > 21 << 20)
    }

    @Test func `of a client that half-closes are still answered`() throws {
        let server = try TestServer()
        let client = try server.raw()
        try client.send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n")
        client.endOutput()
        let text = try client.receiveAll()
        #expect(text.contains("GET /1"))
        #expect(text.hasSuffix("GET /2"))
    }

    @Test func `that end before their body are refused`() throws {
        let server = try TestServer()
        let client = try server.raw()
        try client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
        client.endOutput()
        #expect(try client.receiveAll().hasPrefix("HTTP/1.1 400 "))
    }

    @Test func `that the service forgets are answered 500`() throws {
        let server = try TestServer(TestService(response: { _ in }))
        #expect(
            try server.conversation("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                .hasPrefix("HTTP/1.1 500 "))
    }

    @Test func `that are answered early close only if their body is long`() throws {
        var limits = TransportLimits()
        limits.drainBytesMax = 100
        let server = try TestServer(
            TestService(admission: { _, _ in .answer(HTTPAnswer(status: .notFound)) }),
            limits: limits)
        let short = String(repeating: "x", count: 100)
        let long = String(repeating: "y", count: 100_000)
        let text = try server.conversation(
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n\(short)"
                + "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n\(long)")
        #expect(text.components(separatedBy: "HTTP/1.1 404 ").count == 3)
        #expect(text.components(separatedBy: "Connection: close").count == 2)
    }

    @Test func `that are too long are refused before their body is sent`() throws {
        let server = try TestServer(
            TestService(admission: { _, _ in .collect(bodyBytesMax: 1000) }))
        let client = try server.raw()
        try client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n")
        let text = try client.receive(upTo: "1000 bytes.")
        #expect(text.hasPrefix("HTTP/1.1 413 "))
        #expect(text.contains("Connection: close"))
    }

    @Test func `that turn out too long are refused, and the client hears it while it sends`() throws
    {
        let server = try TestServer(
            TestService(admission: { _, _ in .collect(bodyBytesMax: 1000) }))
        let client = try server.raw()
        try client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in 0..<200 {
            try client.send("8000\r\n" + String(repeating: "z", count: 0x8000) + "\r\n")
        }
        #expect(try client.receive(upTo: "1000 bytes.").hasPrefix("HTTP/1.1 413 "))
    }
}

extension String {
    func components(separatedBy separator: String) -> [Substring] {
        split(separator: separator, omittingEmptySubsequences: false)
    }
}
