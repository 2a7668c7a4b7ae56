import NIOCore
import NIOHTTP1
import Testing
import RawClient
import Transport

@Suite("HTTP/1.1 as RFC 9112 wants it") struct MessageTests {
    @Test(arguments: [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nbad header: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n folded\r\n\r\nX",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -3\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x3\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        "GET nonsense HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET ftp://x/ HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET http:///path HTTP/1.1\r\nHost: x\r\n\r\n",
        "BREW / HTTP/1.1\r\nHost: x\r\n\r\n",
        "\u{1}\u{2}\u{3}\u{4}\r\n\r\n",
    ])
    func `refuses what is malformed, contradictory or ambiguous`(request: String) throws {
        let text = try TestServer().conversation(request)
        #expect(text.hasPrefix("HTTP/1.1 400 "))
        #expect(text.contains("Connection: close"))
        // Exactly one answer: nothing of it was taken for a second request.
        #expect(text.components(separatedBy: "HTTP/1.1 ").count == 2)
    }

    @Test func `refuses other versions`() throws {
        let text = try TestServer().conversation("GET / HTTP/2.0\r\nHost: x\r\n\r\n")
        #expect(text.hasPrefix("HTTP/1.1 505 "))
    }

    @Test func `refuses headers over their limit`() throws {
        let server = try TestServer()
        let long = String(repeating: "h", count: 17_000)
        let one = try server.conversation("GET / HTTP/1.1\r\nHost: x\r\nA: \(long)\r\n\r\n")
        #expect(one.hasPrefix("HTTP/1.1 431 "))
        let many = (0..<200).map { "A\($0): b\r\n" }.joined()
        let text = try server.conversation("GET / HTTP/1.1\r\nHost: x\r\n\(many)\r\n")
        #expect(text.hasPrefix("HTTP/1.1 431 "))
    }

    @Test(arguments: ["A:", "A: b", "A: \t"])
    func `refuses a head that is white space without end`(field: String) throws {
        let server = try TestServer()
        let client = try server.raw()
        try client.send("GET / HTTP/1.1\r\nHost: x\r\n\(field)")
        try client.send([UInt8](repeating: 32, count: 64 << 10))
        #expect(try client.receive(upTo: "too large.").hasPrefix("HTTP/1.1 431 "))
    }

    @Test func `refuses a target over its limit`() throws {
        let long = String(repeating: "u", count: 9000)
        let text = try TestServer().conversation("GET /\(long) HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(text.hasPrefix("HTTP/1.1 414 "))
    }

    @Test func `understands a target in absolute form, whose host counts`() throws {
        let server = try TestServer(
            TestService(response: {
                $0.answer(.text("\($0.head.uri) on \($0.head.headers["host"])", closes: true))
            }))
        let text = try server.conversation(
            "GET http://real:81/a?b HTTP/1.1\r\nHost: other\r\n\r\n")
        #expect(text.hasSuffix("/a?b on [\"real:81\"]"))
        let bare = try server.conversation("GET HTTP://real HTTP/1.1\r\nHost: real\r\n\r\n")
        #expect(bare.hasSuffix("/ on [\"real\"]"))
    }

    @Test func `sends HEAD the headers alone`() throws {
        let text = try TestServer().conversation(
            "HEAD /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        #expect(text.contains("Content-Length: 7\r\n"))
        #expect(text.hasSuffix("\r\n\r\n"))
    }

    @Test func `sends 204 and 304 without a length`() throws {
        let server = try TestServer(
            TestService(response: {
                let status: HTTPResponseStatus = $0.head.uri == "/1" ? .noContent : .notModified
                $0.answer(HTTPAnswer(status: status, body: ByteBuffer(string: "no")))
            }))
        let text = try server.conversation(
            "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"
                + "GET /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        #expect(text.contains("204 No Content"))
        #expect(text.contains("304 Not Modified"))
        #expect(!text.contains("Content-Length"))
        #expect(text.hasSuffix("\r\n\r\n"))
    }

    @Test(arguments: [
        ("Host: x\r\nConnection: close\r\n", "close, Upgrade"), ("Host: x\r\n", "Upgrade"),
    ])
    func `names Upgrade as an option of the connection`(fields: String, options: String) throws {
        let server = try TestServer(
            TestService(response: {
                let headers: HTTPHeaders = ["Upgrade": "x", "Connection": "y"]
                $0.answer(HTTPAnswer(status: .upgradeRequired, headers: headers))
            }))
        let client = try server.raw()
        try client.send("GET /1 HTTP/1.1\r\n\(fields)\r\n")
        let head = try client.receive(upTo: "\r\n\r\n")
        #expect(head.hasPrefix("HTTP/1.1 426 "))
        #expect(head.hasSuffix("\r\nConnection: \(options)\r\n\r\n"))
        #expect(head.components(separatedBy: "Connection").count == 2)
    }

    @Test func `closes behind HTTP 1.0 unless asked to keep alive`() throws {
        let server = try TestServer()
        let one = try server.conversation("GET /1 HTTP/1.0\r\n\r\n")
        #expect(one.contains("Connection: close"))
        let two = try server.conversation(
            "GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /2 HTTP/1.0\r\n\r\n")
        #expect(two.contains("Connection: keep-alive"))
        #expect(two.hasSuffix("GET /2"))
    }

    @Test func `ignores what comes behind a request that closes`() throws {
        let text = try TestServer().conversation(
            "GET /1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                + "GET /2 HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(text.hasSuffix("GET /1"))
    }

    @Test func `asks for a body that was announced, in its turn`() throws {
        let server = try TestServer(
            TestService(response: { $0.answer(.text(String(buffer: $0.body), closes: true)) }))
        let client = try server.raw()
        let expecting = "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n"
        try client.send("POST / HTTP/1.1\r\nHost: x\r\n\(expecting)")
        #expect(try client.receive(upTo: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
        try client.send("body")
        let text = try client.receiveAll()
        #expect(text.hasPrefix("HTTP/1.1 200 OK"))
        #expect(text.hasSuffix("body"))
    }

    @Test func `does not ask for a body that it refuses`() throws {
        let server = try TestServer(
            TestService(admission: { _, _ in .answer(HTTPAnswer(status: .unauthorized)) }))
        let expecting = "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n"
        let text = try server.conversation("POST / HTTP/1.1\r\nHost: x\r\n\(expecting)")
        #expect(text.hasPrefix("HTTP/1.1 401 "))
        #expect(text.contains("Connection: close"))
    }

    @Test func `refuses other expectations`() throws {
        let text = try TestServer().conversation(
            "POST / HTTP/1.1\r\nHost: x\r\nExpect: tea\r\nContent-Length: 4\r\n\r\nbody")
        #expect(text.hasPrefix("HTTP/1.1 417 "))
    }

    @Test func `cannot be made to write headers of a caller's choice`() throws {
        let server = try TestServer(
            TestService(response: {
                let evil: HTTPHeaders = [
                    "Location": "/a\r\nSet-Cookie: stolen", "Content-Length": "9",
                ]
                $0.answer(HTTPAnswer(status: .seeOther, headers: evil, closes: true))
            }))
        let text = try server.conversation("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(text.contains("Location: /a  Set-Cookie: stolen\r\n"))
        #expect(!text.contains("\r\nSet-Cookie"))
        #expect(text.components(separatedBy: "Content-Length: ").count == 2)
    }

    @Test func `answers a plain request to a TLS port in plain words`() throws {
        let server = try TestServer()
        let client = try RawClient(port: server.tlsPort)
        try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        let text = try client.receiveAll()
        #expect(text.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
        #expect(text.contains("This is an HTTPS port."))
    }

    @Test func `survives garbage instead of a handshake`() throws {
        let server = try TestServer()
        for bytes in [[0x16, 3, 1, 0, 4, 1, 2, 3, 4], [0, 0, 0, 0], [0x80, 0x2e, 1, 0, 2]] {
            let client = try RawClient(port: server.tlsPort)
            try client.send(bytes.map { UInt8($0) } + [UInt8](repeating: 0xff, count: 3000))
            _ = try client.receiveAll()
        }
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/")
        #expect(try server.client(.tls13).send(head).wait().0.status == .ok)
    }
}
