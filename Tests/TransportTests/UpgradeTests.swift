import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import Testing
import Transport

@Suite("An upgrade") struct UpgradeTests {
    private let record = StreamRecord()

    private func echo() throws -> TestServer {
        let record = record
        return try TestServer(
            TestService(admission: { _, _ in
                .upgrade(.test { RecordingHandler($0, record, echoes: true) })
            }))
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
                    guard head.uri == "/stream" else { return .collect(bodyBytesMax: 0) }
                    return .upgrade(.test { RecordingHandler($0, record, echoes: true) })
                },
                response: { exchange in
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
            TestService(admission: { _, connection in
                .pendingUpgrade { decision in
                    let decision = NIOLoopBound(decision, eventLoop: connection.eventLoop)
                    connection.eventLoop.scheduleTask(in: .milliseconds(20)) {
                        decision.value.upgrade(.test { RecordingHandler($0, record, echoes: true) })
                    }
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
        let decisions = Mutex<NIOLoopBound<HTTPUpgradeDecision>?>(nil)
        let server = try TestServer(
            TestService(admission: { _, connection in
                .pendingUpgrade { decision in
                    decisions.withLock {
                        $0 = NIOLoopBound(decision, eventLoop: connection.eventLoop)
                    }
                }
            }))
        let client = try server.raw()
        let sent = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 3) }
        try client.send(upgradeRequest)
        try client.send(sent)
        #expect(eventually { decisions.withLock { $0 != nil } })
        let decision = decisions.withLock { $0.take() }
        decision?.eventLoop.execute {
            decision?.value.upgrade(.test { RecordingHandler($0, record) })
        }
        #expect(eventually { record.bytes.count == sent.count })
        #expect(record.bytes == sent)
    }

    @Test func `can be refused, also later, and by being forgotten`() throws {
        let refusal = HTTPAnswer(status: .unauthorized, body: ByteBuffer(string: "no"))
        let admissions: [(status: Int, admit: @Sendable () -> HTTPAdmission)] = [
            (401, { .answer(refusal) }),
            (401, { .pendingUpgrade { $0.answer(refusal) } }),
            (500, { .pendingUpgrade { _ in } }),
        ]
        for (status, admit) in admissions {
            let server = try TestServer(TestService(admission: { _, _ in admit() }))
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
        let decisions = Mutex<NIOLoopBound<HTTPUpgradeDecision>?>(nil)
        let server = try TestServer(
            TestService(admission: { _, connection in
                .pendingUpgrade { decision in
                    decisions.withLock {
                        $0 = NIOLoopBound(decision, eventLoop: connection.eventLoop)
                    }
                }
            }))
        let client = try server.raw()
        try client.send(upgradeRequest)
        #expect(eventually { decisions.withLock { $0 != nil } })
        client.reset()
        #expect(eventually { server.server.connectionCount == 0 })
        let decision = decisions.withLock { $0.take() }
        try decision?.eventLoop.submit {
            decision?.value.upgrade(.test { RecordingHandler($0, record) })
        }.wait()
        #expect(record.events.isEmpty)
    }
}
