import NIOCore
import NIOHTTP1
import Synchronization
import Transport

/// What happened to a stream, in order; read from the test's thread.
final class StreamRecord: Sendable {
    private let state = Mutex<(events: [String], bytes: [UInt8])>(([], []))

    var events: [String] { state.withLock { $0.events } }
    var bytes: [UInt8] { state.withLock { $0.bytes } }

    func note(_ event: String) { state.withLock { $0.events.append(event) } }

    func received(_ bytes: UnsafeRawBufferPointer) {
        state.withLock { $0.bytes.append(contentsOf: bytes) }
    }
}

/// A stream handler that records, and does what the test says.
final class RecordingHandler: StreamHandler {
    let stream: StreamConnection
    let record: StreamRecord
    private let echoes: Bool

    init(_ stream: StreamConnection, _ record: StreamRecord, echoes: Bool = false) {
        self.stream = stream
        self.record = record
        self.echoes = echoes
    }

    deinit { record.note("freed") }

    func received(_ bytes: UnsafeRawBufferPointer) {
        record.received(bytes)
        if echoes { stream.send(bytes) }
    }

    func writable() { record.note("writable") }

    func inputEnded() {
        record.note("input ended")
        stream.close()
    }

    func closed() { record.note("closed") }
}

extension StreamConnection {
    func send(_ text: String) {
        Array(text.utf8).withUnsafeBytes { send($0) }
    }

    func send(_ bytes: [UInt8]) { bytes.withUnsafeBytes { send($0) } }
}

extension HTTPStream {
    static func test(_ open: @escaping (StreamConnection) -> any StreamHandler) -> HTTPStream {
        HTTPStream(
            status: .switchingProtocols, headers: ["Upgrade": "test", "Connection": "Upgrade"],
            open: open)
    }
}

extension TestService {
    /// Answers every request with a stream.
    static func streaming(_ make: @escaping @Sendable (HTTPExchange) -> HTTPStream) -> TestService {
        TestService(
            admission: { _, _ in .collect(bodyBytesMax: 0, mayStream: true) },
            response: { $0.stream(make($0)) })
    }
}

extension HTTPRequestHead {
    static let upgrade = HTTPRequestHead(
        version: .http1_1, method: .GET, uri: "/stream",
        headers: ["Upgrade": "test", "Connection": "Upgrade"])
}

/// The request of `HTTPRequestHead.upgrade` as bytes.
let upgradeRequest =
    "GET /stream HTTP/1.1\r\nHost: x\r\nUpgrade: test\r\nConnection: Upgrade\r\n\r\n"
