import BrokerRuntime
import EventModel
import NIOCore
import NIOHTTP1
import NIOPosix
import SessionProtocol
import Testing
import WebSocketCodec

extension EndToEnd {
    @Suite("A peer that breaks the rules") struct BadPeerTests {
        private let broker: TestBroker

        init() async throws { broker = try await TestBroker.shared }

        @Test func `sends an unmasked frame: 1002`() async throws {
            let session = try await TestSocket.session(broker)
            session.send(bytes: WebSocketFrame.encode(text: Array(#"{"type":"ping","id":1}"#.utf8)))
            #expect(try await session.close().code == 1002)
            guard case .ended = try await session.next() else { throw TimedOut(what: "the end") }
        }

        @Test func `sends a reserved opcode: 1002`() async throws {
            let session = try await TestSocket.session(broker)
            session.send(bytes: [0x83, 0x80, 0, 0, 0, 0])
            #expect(try await session.close().code == 1002)
        }

        @Test func `announces a frame over the limit: 1009, before its bytes`() async throws {
            let session = try await TestSocket.session(broker)
            session.send(bytes: [0x81, 0xFF, 0, 0, 0, 0, 0, 0x20, 0, 1])
            #expect(try await session.close().code == 1009)
        }

        @Test func `sends fragments that are over the limit together: 1009`() async throws {
            let session = try await TestSocket.session(broker)
            let half = [UInt8](repeating: 0x20, count: (1 << 20) + 1)
            session.send(
                bytes: WebSocketFrame.encodeMasked(
                    opcode: .text, payload: half, maskingKey: 7, fin: false))
            session.send(
                bytes: WebSocketFrame.encodeMasked(
                    opcode: .continuation, payload: half, maskingKey: 7))
            #expect(try await session.close().code == 1009)
        }

        @Test func `sends text that is not UTF-8: 1007`() async throws {
            let session = try await TestSocket.session(broker)
            session.send(frame: .text, [0x22, 0xC3, 0x28, 0x22])
            #expect(try await session.close().code == 1007)
        }

        @Test func `sends a binary message: told, and 1003`() async throws {
            let session = try await TestSocket.session(broker)
            session.send(frame: .binary, [1, 2, 3])
            guard case .closing(let closing) = try await session.message() else {
                throw TimedOut(what: "closing")
            }
            #expect(closing.code == 1003)
            #expect(try await session.close().code == 1003)
        }

        @Test func `makes one error after the other: 4502`() async throws {
            let session = try await TestSocket.session(broker)
            for _ in 1...200 { session.send("[]") }
            #expect(try await session.close() == (4502, "too_many_errors"))
        }

        @Test(arguments: ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\u{0}\u{1}garbage\r\n\r\n"])
        func `speaks no TLS: closed at once, and the broker goes on`(text: String) async throws {
            let peer = try await PlainPeer.connect(port: broker.port)
            peer.send(text)
            try await peer.ended()
            #expect(try await TestHTTP(broker).get("/readyz").status == 200)
        }

        @Test func `asks for a WebSocket wrongly: a clear error`() async throws {
            let http = TestHTTP(broker)
            let none = try await http.get("/v1/connect")
            try none.expectProblem(426, .upgradeRequired)
            #expect(none.headers.first(name: "upgrade") == "websocket")
            #expect(none.headers.first(name: "connection") == "Upgrade")
            let old = try await http.send(
                .GET, "/v1/connect",
                [
                    "upgrade": "websocket", "connection": "upgrade",
                    "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==", "sec-websocket-version": "8",
                ])
            try old.expectProblem(426, .upgradeRequired)
            #expect(old.headers.first(name: "sec-websocket-version") == "13")
            let keyless = try await http.send(
                .GET, "/v1/connect",
                ["upgrade": "websocket", "connection": "upgrade", "sec-websocket-version": "13"])
            try keyless.expectProblem(400, .invalidRequest)
        }

        @Test func `vanishes two hundredfold: no connection stays`() async throws {
            let broker = try await TestBroker.start { $0.auth = .none }
            let topic = freshTopic()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 1...4 {
                    group.addTask {
                        for _ in 1...50 {
                            let session = try await TestSocket.session(broker)
                            session.send(#"{"type":"subscribe","id":1,"topic":"\#(topic)"}"#)
                            _ = try await session.messages { $0 == .live(id: 1) }
                            session.vanish()
                        }
                    }
                }
                try await group.waitForAll()
            }
            try await eventually("the end of all connections") {
                openConnections(toPort: broker.port) == 0
            }
            #expect(try await TestHTTP(broker).publish(topic, "1").status == 201)
            let began = ContinuousClock.now
            try await broker.stop()
            // A session that stayed would hold the shutdown up for its whole drain time.
            #expect(ContinuousClock.now - began < .seconds(4))
        }
    }
}

/// Beside the others: it only waits.
@Suite("A peer that connects and says nothing") struct SilentPeerTests {
    @Test func `is closed after ten seconds`() async throws {
        let peer = try await PlainPeer.connect(port: try await TestBroker.shared.port)
        let began = ContinuousClock.now
        try await peer.ended()
        #expect(ContinuousClock.now - began > .seconds(5))
    }
}

/// How many connections the kernel has at the server's end, in any state but waiting for its timer.
private func openConnections(toPort port: Int) -> Int {
    let suffix = ":" + String(port, radix: 16, uppercase: true)
    return (readFile("/proc/net/tcp") ?? "").split(separator: "\n").count { line in
        let fields = line.split(separator: " ")
        guard fields.count > 3, fields[1].hasSuffix(suffix) else { return false }
        // 0A: the listener itself; 06: TIME_WAIT.
        return fields[3] != "0A" && fields[3] != "06"
    }
}

/// A TCP connection below TLS.
private struct PlainPeer {
    private let channel: any Channel

    static func connect(port: Int) async throws -> PlainPeer {
        PlainPeer(
            channel: try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(host: "127.0.0.1", port: port).get())
    }

    func send(_ text: String) {
        channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
    }

    /// Waits until the broker has closed.
    func ended() async throws {
        let began = ContinuousClock.now
        let timer = channel.eventLoop.scheduleTask(in: .seconds(30)) { [channel] in
            channel.close(promise: nil)
        }
        try await channel.closeFuture.get()
        timer.cancel()
        guard ContinuousClock.now - began < .seconds(30) else {
            throw TimedOut(what: "the connection's end")
        }
    }
}
