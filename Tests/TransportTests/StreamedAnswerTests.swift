import NIOCore
import NIOHTTP1
import RawClient
import Synchronization
import Testing
import Transport

@Suite("An answer that is streamed") struct StreamedAnswerTests {
    private static let headers: HTTPHeaders = ["Content-Type": "text/plain", "Connection": "x"]

    /// A server whose streams send so many bytes at the socket's pace, and end.
    private func server(_ count: Int) throws -> TestServer {
        try TestServer(
            .streaming { _ in
                HTTPStream(headers: Self.headers) { PacedHandler($0, bytes: count) }
            })
    }

    @Test(arguments: [0, 1, 16_384, 3_000_000])
    func `comes whole in chunks, at the pace of who reads`(count: Int) throws {
        let server = try server(count)
        let client = try server.raw()
        try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        let head = try client.receive(upTo: "\r\n\r\n")
        #expect(head.hasPrefix("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: "))
        #expect(head.hasSuffix("\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"))
        var body: [UInt8] = []
        while let size = Int(try client.receive(upTo: "\r\n").dropLast(1), radix: 16), size > 0 {
            body += try client.receive(exactly: size)
            #expect(try client.receive(exactly: 2) == [13, 10])
        }
        #expect(body.elementsEqual(PacedHandler.pattern(count)))
        #expect(try client.receiveAll() == "\r\n")
    }

    @Test func `ends with the connection for HTTP/1.0`() throws {
        let text = try server(40_000).conversation("GET / HTTP/1.0\r\n\r\n")
        let parts = text.split(separator: "\r\n\r\n", maxSplits: 1)
        #expect(!parts[0].contains("chunked"))
        #expect(parts[1].utf8.elementsEqual(PacedHandler.pattern(40_000)))
    }

    @Test func `is its head alone for HEAD`() throws {
        let text = try server(10).conversation("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n") && text.hasSuffix("\r\n\r\n"))
        #expect(!text.contains("Content-Length"))
    }

    @Test func `comes behind earlier answers, and nothing is begun behind it`() throws {
        let begun = Mutex<[String]>([])
        let server = try TestServer(
            TestService(
                admission: { head, _ in
                    begun.withLock { $0.append(head.uri) }
                    return .collect(bodyBytesMax: 0, mayStream: head.uri == "/stream")
                },
                response: { exchange in
                    guard exchange.head.uri == "/stream" else { return exchange.answer(.text("x")) }
                    exchange.stream(HTTPStream(headers: [:]) { PacedHandler($0, bytes: 3) })
                }))
        let text = try server.conversation(
            ["/1", "/stream", "/2"].map { "GET \($0) HTTP/1.1\r\nHost: x\r\n\r\n" }.joined())
        #expect(text.contains("\r\n\r\nxHTTP/1.1 200 OK\r\n"))
        #expect(text.hasSuffix("\r\n\r\n3\r\n\0\u{1}\u{2}\r\n0\r\n\r\n"))
        #expect(begun.withLock { $0 } == ["/1", "/stream"])
    }

    @Test func `can turn out to be a plain one, and the connection goes on`() throws {
        let server = try TestServer(
            TestService(
                admission: { _, _ in .collect(bodyBytesMax: 0, mayStream: true) },
                response: { exchange in
                    exchange.eventLoop.scheduleTask(in: .milliseconds(10)) {
                        exchange.answer(.text(exchange.head.uri))
                    }
                }))
        let text = try server.conversation(
            "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"
                + "GET /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        #expect(text.contains("\r\n\r\n/1HTTP/1.1 200 OK") && text.hasSuffix("\r\n\r\n/2"))
    }

    @Test func `is refused to a request with a body`() throws {
        let text = try server(10).conversation(
            "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1")
        #expect(text.hasPrefix("HTTP/1.1 400 "))
    }

    @Test func `is cut off without a last chunk when it breaks`() throws {
        let server = try TestServer(
            .streaming { _ in
                HTTPStream(headers: [:]) { stream in
                    stream.send("abc")
                    stream.abort()
                    return RecordingHandler(stream, StreamRecord())
                }
            })
        let text = try server.conversation("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(text.hasSuffix("3\r\nabc\r\n"))
    }
}

@Suite("A listener for other protocols") struct RawListenerTests {
    @Test func `hands over the bytes as they come`() throws {
        let record = StreamRecord()
        let server = try TestServer(
            use: .raw { stream in
                stream.send("hello ")
                return RecordingHandler(stream, record, echoes: true)
            })
        let client = try server.raw()
        try client.send("world")
        #expect(try client.receive(upTo: "world") == "hello world")
        client.endOutput()
        #expect(try client.receiveAll().isEmpty)
        #expect(eventually { record.events == ["input ended", "closed", "freed"] })
        #expect(eventually { server.server.connectionCount == 0 })
    }

    /// The client speaks HTTP, as far as an upgrade; the listener sends what it expects.
    @Test(arguments: [Wire.tls12, .tls13]) func `does so over TLS, too`(wire: Wire) throws {
        let (record, mine) = (StreamRecord(), StreamRecord())
        let server = try TestServer(use: .raw { ScriptedHandler($0, record) })
        _ = try server.client(wire).upgrade(.upgrade) { stream, _ in
            RecordingHandler(stream, mine)
        }.wait()
        #expect(eventually { mine.bytes == Array("hello".utf8) })
        // The listener does not wait for what it is asked.
        #expect(eventually { record.bytes.starts(with: Array("GET /stream HTTP/1.1".utf8)) })
    }

    @Test func `ends its connections with the server`() throws {
        let record = StreamRecord()
        let server = try TestServer(use: .raw { RecordingHandler($0, record) })
        let client = try server.raw()
        #expect(eventually { server.server.connectionCount == 1 })
        try server.server.shutdown().wait()
        #expect((try? client.receive().isEmpty) ?? true)
    }
}

/// Answers the first bytes with a 101 and a greeting.
private final class ScriptedHandler: StreamHandler {
    private let stream: StreamConnection
    private let record: StreamRecord

    init(_ stream: StreamConnection, _ record: StreamRecord) {
        self.stream = stream
        self.record = record
    }

    func received(_ bytes: UnsafeRawBufferPointer) {
        if record.bytes.isEmpty {
            stream.send("HTTP/1.1 101 X\r\nUpgrade: test\r\nConnection: Upgrade\r\n\r\nhello")
        }
        record.received(bytes)
    }

    func writable() {}
    func inputEnded() {}
    func closed() {}
}

/// Sends bytes as the socket takes them, and then ends.
private final class PacedHandler: StreamHandler {
    private let stream: StreamConnection
    private var rest: ArraySlice<UInt8>

    init(_ stream: StreamConnection, bytes: Int) {
        self.stream = stream
        rest = Self.pattern(bytes)[...]
        writable()
    }

    static func pattern(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 % 127) }
    }

    func received(_ bytes: UnsafeRawBufferPointer) {}

    func writable() {
        while !rest.isEmpty, !stream.isBlocked {
            stream.send(Array(rest.prefix(50_000)))
            rest = rest.dropFirst(50_000)
        }
        if rest.isEmpty { stream.close() }
    }

    func inputEnded() {}
    func closed() {}
}
