import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import Testing
import RawClient
import Transport

@Suite("An upgrade") struct UpgradeTests {
    private let record = StreamRecord()

    private func echo() throws -> TestServer {
        let record = record
        return try TestServer(
            .streaming { _ in .test { RecordingHandler($0, record, echoes: true) } })
    }

    @Test(arguments: Wire.allCases) func `makes a stream of a connection`(wire: Wire) throws {
        let server = try echo()
        let (mine, sent) = (StreamRecord(), (0..<300_000).map { UInt8(truncatingIfNeeded: $0) })
        let upgrade = try server.client(wire).upgrade(.upgrade) { stream, head in
            #expect(head.headers["Upgrade"] == ["test"])
            stream.send(sent)
            return RecordingHandler(stream, mine)
        }.wait()

        guard case .upgraded = upgrade else { throw TestCertificates.Missing() }
        #expect(eventually { mine.bytes.count == sent.count })
        #expect(mine.bytes == sent)
        #expect(record.bytes == sent)
    }

    @Test func `brings along what came behind the request`() throws {
        let server = try echo()
        let client = try server.raw()
        try client.send(upgradeRequest + "early bytes")
        let text = try client.receive(upTo: "early bytes")
        #expect(text.hasPrefix("HTTP/1.1 101 Switching Protocols\r\nUpgrade: test\r\n"))
        #expect(text.hasSuffix("\r\n\r\nearly bytes"))
    }

    @Test func `comes behind the answers to earlier requests`() throws {
        let record = record
        let server = try TestServer(
            TestService(
                admission: { head, _ in
                    .collect(bodyBytesMax: 0, mayStream: head.uri == "/stream")
                },
                response: { exchange in
                    guard exchange.head.uri != "/stream" else {
                        return exchange.stream(
                            .test { RecordingHandler($0, record, echoes: true) })
                    }
                    exchange.eventLoop.scheduleTask(in: .milliseconds(20)) {
                        exchange.answer(.text("first"))
                    }
                }))
        let client = try server.raw()
        try client.send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n" + upgradeRequest + "x")
        let text = try client.receive(upTo: "\r\n\r\nx")
        #expect(text.contains("firstHTTP/1.1 101 "))
    }

    @Test(arguments: Wire.allCases) func `can be decided later`(wire: Wire) throws {
        let record = record
        let server = try TestServer(
            TestService(
                admission: { _, _ in .collect(bodyBytesMax: 0, mayStream: true) },
                response: { exchange in
                    exchange.eventLoop.scheduleTask(in: .milliseconds(20)) {
                        exchange.stream(.test { RecordingHandler($0, record, echoes: true) })
                    }
                }))
        let mine = StreamRecord()
        _ = try server.client(wire).upgrade(.upgrade) { stream, _ in
            stream.send("hello")
            return RecordingHandler(stream, mine)
        }.wait()
        #expect(eventually { mine.bytes == Array("hello".utf8) })
    }

    @Test func `holds what comes while it is being decided`() throws {
        let record = record
        let exchanges = Mutex<HTTPExchange?>(nil)
        let server = try TestServer(
            TestService(
                admission: { _, _ in .collect(bodyBytesMax: 0, mayStream: true) },
                response: { exchange in exchanges.withLock { $0 = exchange } }))
        let client = try server.raw()
        let sent = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 3) }
        try client.send(upgradeRequest)
        try client.send(sent)
        #expect(eventually { exchanges.withLock { $0 != nil } })
        let exchange = exchanges.withLock { $0.take() }
        exchange?.eventLoop.execute { exchange?.stream(.test { RecordingHandler($0, record) }) }
        #expect(eventually { record.bytes.count == sent.count })
        #expect(record.bytes == sent)
    }

    @Test func `can be refused, also later, and by being forgotten`() throws {
        let refusal = HTTPAnswer(status: .unauthorized, body: ByteBuffer(string: "no"))
        let mayStream = HTTPCollection(bodyBytesMax: 0, mayStream: true)
        typealias Refusing = (
            status: Int, admit: @Sendable () -> HTTPAdmission,
            respond: @Sendable (HTTPExchange) -> Void
        )
        let services: [Refusing] = [
            (401, { .answer(refusal) }, { _ in }),
            (401, { .pending { $0.answer(refusal) } }, { _ in }),
            (401, { .collect(mayStream) }, { $0.answer(refusal) }),
            (401, { .pending { $0.collect(mayStream) } }, { $0.answer(refusal) }),
            (500, { .pending { _ in } }, { _ in }), (500, { .collect(mayStream) }, { _ in }),
        ]
        for (status, admit, respond) in services {
            let server = try TestServer(
                TestService(admission: { _, _ in admit() }, response: respond))
            let upgrade = try server.client(.plain).upgrade(.upgrade) { stream, _ in
                RecordingHandler(stream, StreamRecord())
            }.wait()
            guard case .refused(let head, _) = upgrade else { throw TestCertificates.Missing() }
            #expect(head.status.code == status)
        }
    }

    @Test func `is refused to a request that does not ask for it`() throws {
        let text = try echo().conversation("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(text.hasPrefix("HTTP/1.1 400 "))
    }

    @Test func `never opens when the client leaves before`() throws {
        let record = record
        let exchanges = Mutex<HTTPExchange?>(nil)
        let server = try TestServer(
            TestService(
                admission: { _, _ in .collect(bodyBytesMax: 0, mayStream: true) },
                response: { exchange in exchanges.withLock { $0 = exchange } }))
        let client = try server.raw()
        try client.send(upgradeRequest)
        #expect(eventually { exchanges.withLock { $0 != nil } })
        client.reset()
        #expect(eventually { server.server.connectionCount == 0 })
        let exchange = exchanges.withLock { $0.take() }
        try exchange?.eventLoop.submit {
            exchange?.stream(.test { RecordingHandler($0, record) })
        }.wait()
        #expect(record.events.isEmpty)
    }
}
