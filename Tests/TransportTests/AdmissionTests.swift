import NIOCore
import NIOHTTP1
import Synchronization
import Testing
import RawClient
import Transport

@Suite("A request that is not admitted yet") struct AdmissionTests {
    private let waiting = PendingAdmissions()

    private func server(_ limits: TransportLimits = TransportLimits()) throws -> TestServer {
        try TestServer(
            TestService(
                admission: waiting.admit,
                response: { exchange in
                    let sender = (exchange.note as? Sender)?.name ?? "nobody"
                    exchange.answer(.text("\(exchange.body.readableBytes) from \(sender)"))
                }), limits: limits)
    }

    enum Framing: CaseIterable {
        case length
        case chunked

        func head(_ count: Int, _ fields: String = "") -> String {
            let length =
                self == .length ? "Content-Length: \(count)" : "Transfer-Encoding: chunked"
            return "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\(fields)\(length)\r\n\r\n"
        }

        func body(_ count: Int) -> [UInt8] {
            let bytes = [UInt8](repeating: 120, count: count)
            guard self == .chunked else { return bytes }
            return Array("\(String(count, radix: 16))\r\n".utf8) + bytes
                + Array("\r\n0\r\n\r\n".utf8)
        }
    }

    @Test(arguments: Framing.allCases)
    func `is not read on before it is, and is read to its end then`(framing: Framing) throws {
        let server = try server()
        let client = try server.raw()
        let body = framing.body(16 << 20)
        try client.send(framing.head(16 << 20))
        let taken = try client.sendUntilBlocked(body)
        // What the kernels buffer on both sides.
        #expect(taken < 8 << 20)
        #expect(eventually { waiting.count == 1 })
        waiting.decide { $0.collect(HTTPCollection(bodyBytesMax: 16 << 20, note: Sender("her"))) }
        try client.send(Array(body[taken...]))
        #expect(try client.receiveAll().hasSuffix("16777216 from her"))
    }

    @Test(arguments: Framing.allCases)
    func `is asked for its body only when it is`(framing: Framing) throws {
        let server = try server()
        let client = try server.raw()
        try client.send(framing.head(4, "Expect: 100-continue\r\n"))
        #expect(eventually { waiting.count == 1 })
        waiting.decide { $0.collect(HTTPCollection(bodyBytesMax: 4, note: Sender("her"))) }
        #expect(try client.receive(upTo: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
        try client.send(framing.body(4))
        #expect(try client.receiveAll().hasSuffix("4 from her"))
    }

    @Test(arguments: Framing.allCases, ["", "Expect: 100-continue\r\n"])
    func `can be refused, and is not asked for its body then`(
        framing: Framing, fields: String
    ) throws {
        let server = try server()
        let client = try server.raw()
        try client.send(framing.head(1 << 20, fields))
        #expect(eventually { waiting.count == 1 })
        waiting.decide { $0.answer(HTTPAnswer(status: .unauthorized)) }
        let text = try client.receiveAll()
        #expect(text.hasPrefix("HTTP/1.1 401 "))
        #expect(text.contains("Connection: close"))
    }

    @Test func `does not keep its connection for ever when it is refused and never ends`() throws {
        var limits = TransportLimits()
        limits.bodyIdleTimeout = .milliseconds(30)
        limits.tick = .milliseconds(5)
        let server = try server(limits)
        let client = try server.raw()
        try client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")
        #expect(eventually { waiting.count == 1 })
        waiting.decide { $0.answer(HTTPAnswer(status: .unauthorized)) }
        #expect(try client.receiveAll().hasPrefix("HTTP/1.1 401 "))
    }

    @Test func `holds those behind it, which are not asked about before`() throws {
        let server = try server()
        let client = try server.raw()
        let post = { (body: String) in
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        }
        try client.send(post("1") + post("22") + post("333"))
        for (sender, count) in [("a", 1), ("b", 2), ("c", 3)] {
            #expect(eventually { waiting.count == 1 })
            waiting.decide { $0.collect(HTTPCollection(bodyBytesMax: 10, note: Sender(sender))) }
            let text = try client.receive(upTo: " from \(sender)")
            #expect(text.hasSuffix("\r\n\r\n\(count) from \(sender)"))
        }
    }

    @Test func `is answered although nobody decides`() throws {
        let server = try TestServer(TestService(admission: { _, _ in .pending { _ in } }))
        let text = try server.conversation("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(text.hasPrefix("HTTP/1.1 500 "))
    }

    @Test func `is answered when it turns out malformed meanwhile`() throws {
        let server = try server()
        let text = try server.conversation(
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
        #expect(text.hasPrefix("HTTP/1.1 400 "))
        waiting.decide { $0.collect(HTTPCollection(bodyBytesMax: 10)) }
        #expect(eventually { server.server.connectionCount == 0 })
    }

    @Test func `may be complete and half-closed`() throws {
        let server = try server()
        let client = try server.raw()
        try client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1")
        client.endOutput()
        #expect(eventually { waiting.count == 1 })
        waiting.decide { $0.collect(HTTPCollection(bodyBytesMax: 10, note: Sender("her"))) }
        #expect(try client.receiveAll().hasSuffix("1 from her"))
    }

    @Test func `may be gone when it is`() throws {
        let server = try server()
        let client = try server.raw()
        try client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        #expect(eventually { waiting.count == 1 })
        client.reset()
        #expect(eventually { server.server.connectionCount == 0 })
        waiting.decide { $0.collect(HTTPCollection(bodyBytesMax: 10)) }
    }
}

/// Decisions that the test makes, from its thread.
private final class PendingAdmissions: Sendable {
    private let waiting = Mutex<[NIOLoopBound<HTTPAdmissionDecision>]>([])

    var count: Int { waiting.withLock(\.count) }

    @Sendable func admit(_ head: HTTPRequestHead, _ connection: ConnectionInfo) -> HTTPAdmission {
        .pending { decision in
            let bound = NIOLoopBound(decision, eventLoop: connection.eventLoop)
            self.waiting.withLock { $0.append(bound) }
        }
    }

    /// Makes all decisions that wait, and lets them go.
    func decide(_ body: @escaping @Sendable (HTTPAdmissionDecision) -> Void) {
        let all = waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
        for decision in all { decision.eventLoop.execute { body(decision.value) } }
    }
}

/// What the service noted.
private final class Sender: Sendable {
    let name: String

    init(_ name: String) { self.name = name }
}
