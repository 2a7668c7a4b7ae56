import NIOCore
import NIOHTTP1
import Synchronization
import Testing
import RawClient
import Transport

@Suite("A stream") struct StreamTests {
    private let record = StreamRecord()

    /// A server whose streams do `begin` when they open.
    private func server(
        _ limits: TransportLimits = TransportLimits(),
        _ begin: @escaping @Sendable (StreamConnection) -> Void = { _ in }
    ) throws -> TestServer {
        let record = record
        return try TestServer(
            .streaming { _ in
                .test { stream in
                    begin(stream)
                    return RecordingHandler(stream, record)
                }
            }, limits: limits)
    }

    private func opened(_ server: TestServer) throws -> RawClient {
        let client = try server.raw()
        try client.send(upgradeRequest)
        _ = try client.receive(upTo: "\r\n\r\n")
        return client
    }

    @Test(arguments: Wire.allCases)
    func `is blocked by a peer that does not read, and writable again`(wire: Wire) throws {
        let sent = Atomic(0)
        let server = try server { stream in
            let piece = [UInt8](repeating: 7, count: 16_384)
            while !stream.isBlocked {
                stream.send(piece)
                sent.add(piece.count, ordering: .relaxed)
            }
            stream.send("!")
        }
        let mine = StreamRecord()
        let reading = Mutex<NIOLoopBound<StreamConnection>?>(nil)
        _ = try server.client(wire).upgrade(.upgrade) { stream, _ in
            stream.setReading(false)
            reading.withLock { $0 = NIOLoopBound(stream, eventLoop: stream.eventLoop) }
            return RecordingHandler(stream, mine)
        }.wait()
        #expect(eventually { reading.withLock { $0 != nil } })
        let stream = reading.withLock { $0.take() }
        stream?.eventLoop.execute { stream?.value.setReading(true) }

        #expect(eventually { record.events.contains("writable") })
        let count = sent.load(ordering: .relaxed) + 1
        #expect(eventually { mine.bytes.count == count })
        #expect(mine.bytes.last == UInt8(ascii: "!"))
        #expect(record.events.filter { $0 == "writable" }.count == 1)
    }

    @Test func `is aborted when it is sent too much while blocked`() throws {
        let server = try server { stream in
            let piece = [UInt8](repeating: 7, count: 16_384)
            for _ in 0..<10_000 { stream.send(piece) }
        }
        let client = try opened(server)
        #expect(eventually { record.events.contains("closed") })
        client.close()
    }

    @Test func `hears that the peer ended its half, and can still send`() throws {
        let server = try server()
        let client = try opened(server)
        client.endOutput()
        #expect(eventually { record.events == ["input ended", "closed", "freed"] })
        #expect(try client.receive().isEmpty)
    }

    @Test func `hears once that the peer is gone`() throws {
        let server = try server()
        let client = try opened(server)
        client.reset()
        #expect(eventually { record.events == ["closed", "freed"] })
    }

    @Test(arguments: Wire.allCases)
    func `sends all that is pending before it closes`(wire: Wire) throws {
        let sent = Atomic(0)
        let server = try server { stream in
            let piece = [UInt8](repeating: 7, count: 16_384)
            while !stream.isBlocked {
                stream.send(piece)
                sent.add(piece.count, ordering: .relaxed)
            }
            stream.close()
        }
        let mine = StreamRecord()
        _ = try server.client(wire).upgrade(.upgrade) { stream, _ in
            RecordingHandler(stream, mine)
        }.wait()
        #expect(eventually { mine.events.contains("closed") })
        #expect(mine.bytes.count == sent.load(ordering: .relaxed))
        #expect(eventually { record.events == ["closed", "freed"] })
    }

    @Test func `ends at last when the peer takes nothing`() throws {
        var limits = TransportLimits()
        limits.closeTimeout = .milliseconds(30)
        limits.tick = .milliseconds(5)
        let server = try server(limits) { stream in
            while !stream.isBlocked { stream.send([UInt8](repeating: 7, count: 16_384)) }
            stream.close()
        }
        let client = try server.raw()
        try client.send(upgradeRequest)
        #expect(eventually { record.events == ["closed", "freed"] })
        #expect(eventually { server.server.connectionCount == 0 })
        client.close()
    }

    @Test func `is over at once when aborted, and never from inside the call`() throws {
        let record = record
        let server = try server { stream in
            stream.abort()
            record.note("aborted")
            stream.send("nobody hears this")
        }
        let client = try server.raw()
        try client.send(upgradeRequest)
        #expect(eventually { record.events == ["aborted", "closed", "freed"] })
    }

    @Test func `has no timeout of its own`() throws {
        var limits = TransportLimits()
        limits.headTimeout = .milliseconds(20)
        limits.keepAliveTimeout = .milliseconds(20)
        limits.tick = .milliseconds(1)
        let server = try server(limits)
        let client = try opened(server)
        // Another connection's timeout passes meanwhile.
        #expect(try server.conversation("").isEmpty)
        try client.send("still here")
        #expect(eventually { record.bytes == Array("still here".utf8) })
    }

    @Test func `is not read while it does not want to`() throws {
        let stream = Mutex<NIOLoopBound<StreamConnection>?>(nil)
        let server = try server { opened in
            opened.setReading(false)
            stream.withLock { $0 = NIOLoopBound(opened, eventLoop: opened.eventLoop) }
        }
        let client = try opened(server)
        // Far more than one read's worth and what the kernel keeps: the client must wait.
        let sender = StreamRecord()
        MultiThreadedSender.run {
            for _ in 0..<2000 { try? client.send([UInt8](repeating: 5, count: 16_384)) }
            sender.note("sent")
        }
        #expect(eventually { stream.withLock { $0 != nil } })
        let bound = stream.withLock { $0.take() }
        let early = try bound?.eventLoop.submit { record.bytes.count }.wait() ?? .max
        #expect(early <= 65_536 + 1024)
        #expect(sender.events.isEmpty)
        bound?.eventLoop.execute { bound?.value.setReading(true) }
        #expect(eventually { record.bytes.count == 2000 * 16_384 })
    }
}
