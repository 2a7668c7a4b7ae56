import NIOCore
import NIOHTTP1
import Testing
import RawClient
import Transport

@Suite("A request whose upgrade nobody takes") struct IgnoredUpgradeTests {
    private static let h2c =
        "Host: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n"
    private static let last = "GET /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    private func echo(_ limits: TransportLimits = TransportLimits()) throws -> TestServer {
        try TestServer(
            TestService(response: {
                $0.answer(.text("<\($0.head.method) \($0.head.uri) \(String(buffer: $0.body))>"))
            }), limits: limits)
    }

    @Test(arguments: [
        ("GET /1 HTTP/1.1\r\n\(h2c)\r\n", "<GET /1 >"),
        ("HEAD /1 HTTP/1.1\r\n\(h2c)\r\n", ""),
        ("POST /1 HTTP/1.1\r\n\(h2c)Content-Length: 4\r\n\r\nbody", "<POST /1 body>"),
        (
            "POST /1 HTTP/1.1\r\n\(h2c)Transfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n",
            "<POST /1 body>"
        ),
        (
            "GET /1 HTTP/1.0\r\nConnection: keep-alive, upgrade\r\nUpgrade: h2c\r\n\r\n",
            "<GET /1 >"
        ),
    ])
    func `is answered, and so is the next one`(request: String, answer: String) throws {
        let server = try echo()
        // Together, apart, and byte by byte.
        let together = try server.conversation(request + Self.last)
        let client = try server.raw()
        try client.send(request)
        let first = try client.receive(upTo: answer.isEmpty ? "\r\n\r\n" : answer)
        try client.send(Self.last)
        let apart = try first + client.receiveAll()
        let dripping = try server.raw()
        for byte in (request + Self.last).utf8 { try dripping.send([byte]) }
        for text in [together, apart, try dripping.receiveAll()] {
            #expect(text.components(separatedBy: "HTTP/1.1 200 OK").count == 3)
            #expect(text.components(separatedBy: "Connection: close").count == 2)
            #expect(text.contains(answer))
            #expect(text.hasSuffix("<GET /2 >"))
        }
    }

    /// NIO reads these fields in its own way, and does not tell how it has read them.
    @Test(arguments: [
        "Connection: upgrade\r\n", "Upgrade: h2c\r\n", "Upgrade:\r\nConnection: upgrade\r\n",
        "Upgrade: h2c\r\nConnection: upgrade\t\r\n", "Upgrade: h2c\r\nConnection: upgrade \r\n",
        "Upgrade: h2c\r\nConnection:\tupgrade\r\n", "Upgrade: h2c\r\nConnection: a,\tUPGRADE\r\n",
        "Upgrade: h2c\r\nConnection: a b, upgrade , c\r\n",
        "Upgrade: h2c\r\nConnection: upgrade b\r\n", "Upgrade: h2c\r\nConnection: upgrades\r\n",
        "Upgrade: h2c\r\nConnection: x upgrade\r\n", "Upgrade: h2c\r\nConnection: \"upgrade\"\r\n",
        "Upgrade: h2c\r\nConnection: keep-alive\r\nConnection: Upgrade\r\n",
        "Upgrade: h2c\r\nConnection: upgrade\r\nConnection: keep-alive\r\n",
        "Upgrade: h2c\r\nProxy-Connection: upgrade\r\n",
        "Upgrade: h2c\r\nConnection: ,,upgrade,,\r\n",
        "Upgrade: \r\nUpgrade: h2c\r\nConnection: upgrade\r\n",
        "Upgrade: h2c\r\nUpgrade: \r\nConnection: upgrade\r\n",
    ])
    func `ends the connection or leaves it working, however it is spelled`(fields: String) throws {
        let text = try echo().conversation(
            "GET /1 HTTP/1.1\r\nHost: x\r\n\(fields)\r\n" + Self.last)
        #expect(text.hasPrefix("HTTP/1.1 200 OK"))
        let answers = text.components(separatedBy: "HTTP/1.1 ").count - 1
        #expect(text.components(separatedBy: "Connection: close").count == 2)
        #expect(answers == 1 ? text.hasSuffix("<GET /1 >") : text.hasSuffix("<GET /2 >"))
    }

    @Test(arguments: ["", "Content-Length: 3\r\n", "Upgrade: h2c\r\nConnection: upgrade\r\n"])
    func `is answered and ends the connection if it is CONNECT`(fields: String) throws {
        let text = try echo().conversation(
            "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\(fields)\r\n" + Self.last)
        #expect(text.components(separatedBy: "HTTP/1.1 ").count == 2)
        #expect(text.contains("Connection: close"))
        #expect(text.hasSuffix("<CONNECT x:1 >"))
    }

    @Test(arguments: [
        "GET /1 HTTP/1.1\r\n\(h2c)\r\n", "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /1 HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: upgrade x\r\n\r\n",
    ])
    func `does not keep what is poured in behind it`(request: String) throws {
        var limits = TransportLimits()
        limits.lingerBytesMax = 1 << 20
        limits.tick = .milliseconds(5)
        limits.lingerTimeout = .milliseconds(100)
        let server = try echo(limits)
        let client = try server.raw()
        try client.send(request)
        let flood = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
        #expect(throws: RawClient.Failure.self) {
            for _ in 0..<256 { try client.send(flood) }
        }
        #expect(eventually { server.server.connectionCount == 0 })
    }
}
