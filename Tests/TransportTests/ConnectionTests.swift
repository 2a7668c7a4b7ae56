import RepeatableChance
import Foundation
import NIOCore
import NIOHTTP1
import Synchronization
import Testing
import RawClient
import Transport

@Suite("The connections of a server") struct ConnectionTests {
    @Test(arguments: Wire.allCases)
    func `leave nothing behind when 200 of them come and go`(wire: Wire) throws {
        let record = StreamRecord()
        let server = try TestServer(
            TestService(
                admission: { head, _ in
                    .collect(bodyBytesMax: 0, mayStream: head.uri == "/stream")
                },
                response: { exchange in
                    guard exchange.head.uri == "/stream" else { return exchange.answer(.text("x")) }
                    exchange.stream(.test { RecordingHandler($0, record) })
                }), threads: 2)
        for round in 0..<100 {
            let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/\(round)")
            #expect(try server.client(wire).send(head).wait().0.status == .ok)
            let streaming = try server.client(wire)
            _ = try streaming.upgrade(.upgrade) { stream, _ in
                stream.close()
                return RecordingHandler(stream, StreamRecord())
            }.wait()
        }
        #expect(eventually { server.server.connectionCount == 0 })
        #expect(eventually { record.events.filter { $0 == "freed" }.count == 100 })
        #expect(record.events.filter { $0 == "closed" }.count == 100)
    }

    @Test func `are not more than the limit`() throws {
        try expectMost(3) { $0.connectionsMax = 3 }
    }

    @Test func `are not more than the limit of one address`() throws {
        try expectMost(2) { $0.connectionsPerAddressMax = 2 }
    }

    private func expectMost(_ count: Int, _ limit: (inout TransportLimits) -> Void) throws {
        var limits = TransportLimits()
        limit(&limits)
        let server = try TestServer(limits: limits)
        let clients = try (0..<count).map { _ in try server.raw() }
        #expect(eventually { server.server.connectionCount == count })
        #expect((try? server.raw().receive().isEmpty) ?? true)
        clients[0].close()
        #expect(eventually { server.server.connectionCount == count - 1 })
        let text = try server.conversation(
            "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        #expect(text.hasPrefix("HTTP/1.1 200 "))
    }

    @Test func `are spread over the event loops`() throws {
        let loops = Mutex<Set<Int>>([])
        let server = try TestServer(
            TestService(response: { exchange in
                loops.withLock { _ = $0.insert(exchange.connection.loopIndex) }
                exchange.answer(.text(exchange.connection.remoteAddress, closes: true))
            }), threads: 2)
        for _ in 0..<4 {
            let text = try server.conversation("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(text.contains("\r\n\r\n127.0.0.1:"))
        }
        #expect(loops.withLock { $0 } == [0, 1])
    }

    @Test func `are drained: idle ones at once, busy ones behind their answers`() throws {
        let waiting = Mutex<HTTPExchange?>(nil)
        let server = try TestServer(
            TestService(response: { exchange in waiting.withLock { $0 = exchange } }))
        let (idle, busy) = (try server.raw(), try server.raw())
        try busy.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(eventually { waiting.withLock { $0 != nil } })

        let drained = server.server.drain(deadline: .now() + .seconds(20))
        #expect(try idle.receive().isEmpty)
        waiting.withLock { $0.take() }?.answer(.text("done"))

        let text = try busy.receiveAll()
        #expect(text.contains("Connection: close"))
        #expect(text.hasSuffix("done"))
        idle.close()
        busy.close()
        try drained.wait()
        #expect(throws: (any Error).self) { try server.raw() }
    }

    @Test func `are cut off at the drain's deadline`() throws {
        let waiting = Mutex<HTTPExchange?>(nil)
        let server = try TestServer(
            TestService(response: { exchange in waiting.withLock { $0 = exchange } }))
        let busy = try server.raw()
        try busy.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(eventually { waiting.withLock { $0 != nil } })
        try server.server.drain(deadline: .now() + .milliseconds(20)).wait()
        #expect(server.server.connectionCount == 0)
        waiting.withLock { $0.take() }?.answer(.text("too late"))
    }

    /// NIO closes a descriptor before it says so, and accept may give its number to another client
    /// at once; whoever sends on would send one client's bytes to another, here in clear.
    @Test func `never get what was meant for an earlier one with their descriptor`() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var chance = SeededGenerator(seed: seed)
        let server = try TestServer(
            .streaming { exchange in
                let tag = UInt8(exchange.head.uri.dropFirst()) ?? 0
                return .test { PumpingHandler($0, tag: tag) }
            })
        for round in 0..<400 {
            let tag = UInt8(truncatingIfNeeded: round % 251 + 1)
            let client = try server.raw()
            try client.send(upgradeRequest.replacingOccurrences(of: "/stream", with: "/\(tag)"))
            _ = try client.receive(upTo: "\r\n\r\n")
            let bytes = try client.receive(exactly: Int(chance.next() % 40_000) + 1)
            #expect(bytes.allSatisfy { $0 == tag }, "seed \(seed), round \(round)")
            if chance.next() % 4 == 0 { client.close() } else { client.reset() }
        }
    }
}

/// Sends its tag for ever, also after the end, as somebody would who was not told.
private final class PumpingHandler: StreamHandler {
    private let stream: StreamConnection
    private let bytes: [UInt8]
    private var turnsLeft = 300

    init(_ stream: StreamConnection, tag: UInt8) {
        self.stream = stream
        bytes = [UInt8](repeating: tag, count: 8000)
        pump()
    }

    private func pump() {
        guard turnsLeft > 0 else { return }
        // Beyond the end, but not for ever.
        if !stream.isOpen { turnsLeft -= 1 }
        if !stream.isBlocked || !stream.isOpen { stream.send(bytes) }
        stream.eventLoop.assumeIsolated().scheduleTask(in: .microseconds(200)) { self.pump() }
    }

    func received(_ bytes: UnsafeRawBufferPointer) {}
    func writable() { stream.send(bytes) }
    func inputEnded() { stream.send(bytes) }

    func closed() { stream.send(bytes) }
}
