import NIOCore
import NIOHTTP1
import Synchronization
import Testing
import RawClient
import Transport

@Suite("The request bodies of a server") struct BodyBudgetTests {
    /// Exchanges that their test answers.
    private final class Waiting: Sendable {
        private let exchanges = Mutex<[HTTPExchange]>([])

        var count: Int { exchanges.withLock(\.count) }

        func add(_ exchange: HTTPExchange) { exchanges.withLock { $0.append(exchange) } }

        func answer(_ answer: HTTPAnswer) { exchanges.withLock { $0.popLast() }?.answer(answer) }
    }

    private let waiting = Waiting()

    private func server() throws -> TestServer {
        var limits = TransportLimits()
        limits.bodiesBytesMax = 100_000
        return try TestServer(
            TestService(response: { [waiting] exchange in
                if exchange.head.uri == "/wait" {
                    waiting.add(exchange)
                } else {
                    exchange.answer(.text("taken"))
                }
            }), limits: limits, threads: 2)
    }

    private func post(_ count: Int, to path: String = "/", sent: Int? = nil) -> String {
        "POST \(path) HTTP/1.1\r\nHost: x\r\nContent-Length: \(count)\r\n\r\n"
            + String(repeating: "x", count: sent ?? count)
    }

    @Test func `are refused over their budget, while they arrive and while they are worked on`()
        throws
    {
        let server = try server()
        let (arriving, worked) = (try server.raw(), try server.raw())
        try worked.send(post(50_000, to: "/wait"))
        #expect(eventually { waiting.count == 1 })
        try arriving.send(post(40_001, sent: 40_000))
        // That it has arrived shows as soon as 20,000 more are over the budget.
        #expect(
            try eventually { try server.conversation(post(20_000)).hasPrefix("HTTP/1.1 429 ") })
        let text = try server.conversation(post(20_000))
        #expect(text.contains("Connection: close"))
        #expect(text.hasSuffix("bodies of 100000 bytes already, and takes no more."))

        try arriving.send("x")
        #expect(try arriving.receive(upTo: "taken").hasPrefix("HTTP/1.1 200 "))
        waiting.answer(.text("taken"))
        #expect(try worked.receive(upTo: "taken").hasPrefix("HTTP/1.1 200 "))
    }

    @Test func `give their bytes back, however they end`() throws {
        let server = try server()
        for round in 0..<3 {
            let (gone, refused, done) = (try server.raw(), try server.raw(), try server.raw())
            try gone.send(post(30_001, sent: 30_000))
            try refused.send(
                "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\nzz\r\n"
            )
            _ = try refused.receiveAll()
            try done.send(post(30_000))
            _ = try done.receive(upTo: "taken")
            gone.reset()
            // The whole budget is free again.
            let isFree = try eventually {
                let client = try server.raw()
                try client.send(post(100_000))
                return try client.receive(upTo: " OK\r\n").hasPrefix("HTTP/1.1 200 ")
            }
            #expect(isFree, "round \(round)")
        }
    }
}
