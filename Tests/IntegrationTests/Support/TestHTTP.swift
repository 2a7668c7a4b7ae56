import EventModel
import NIOCore
import NIOHTTP1
import NIOPosix
import OpenSSLBridge
import SluiceClient
import Synchronization
import Testing
import Transport

/// An answer of the broker.
struct TestAnswer: Sendable {
    let status: Int
    let headers: HTTPHeaders
    let body: [UInt8]

    init(_ head: HTTPResponseHead, _ body: ByteBuffer) {
        status = Int(head.status.code)
        headers = head.headers
        self.body = Array(buffer: body)
    }

    func fields() throws -> JSONFields { try JSONFields(body) }

    var code: String? { (try? fields())?.text("code") }

    /// Expects a problem document with all its parts.
    func expectProblem(
        _ status: Int, _ code: ErrorCode, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        try #require(self.status == status, "\(body.text)", sourceLocation: sourceLocation)
        let problem = try fields()
        #expect(
            headers.first(name: "content-type") == "application/problem+json",
            sourceLocation: sourceLocation)
        #expect(problem.text("code") == code.rawValue, sourceLocation: sourceLocation)
        #expect(problem.integer("status") == Int64(status), sourceLocation: sourceLocation)
        #expect(
            problem.text("type") == "/v1/errors/\(code.rawValue)", sourceLocation: sourceLocation)
        for name in ["title", "detail", "remedy"] {
            #expect(problem.text(name)?.isEmpty == false, "\(name)", sourceLocation: sourceLocation)
        }
        #expect(
            problem.text("request_id")?.hasPrefix("r_") == true, sourceLocation: sourceLocation)
    }
}

/// HTTP over one TLS connection that is kept, and opened anew when the broker closed it.
final class TestHTTP: Sendable {
    let broker: TestBroker
    private let token: String?
    private let kept = Mutex<HTTPClientConnection?>(nil)

    init(_ broker: TestBroker, token: String? = nil) {
        self.broker = broker
        self.token = token ?? broker.token
    }

    /// A connection to the broker, its certificate checked.
    static func connect(_ broker: TestBroker) async throws -> HTTPClientConnection {
        let tls = try TLSContext(.client(TLSTrust(authorities: broker.caFile)))
        return try await ClientConnector.connect(
            host: "127.0.0.1", port: broker.port, tls: tls,
            group: MultiThreadedEventLoopGroup.singleton, timeout: .seconds(30)
        ).get()
    }

    func send(
        _ method: HTTPMethod, _ path: String, _ headers: HTTPHeaders = [:], _ body: [UInt8]? = nil
    ) async throws -> TestAnswer {
        var headers = headers
        if let token, !headers.contains(name: "authorization") {
            headers.add(name: "authorization", value: "Bearer \(token)")
        }
        let head = HTTPRequestHead(version: .http1_1, method: method, uri: path, headers: headers)
        let bytes = body.map { ByteBuffer(bytes: $0) }
        if let connection = kept.withLock({ $0 }) {
            if let answer = try? await connection.send(head, body: bytes).get() {
                return TestAnswer(answer.0, answer.1)
            }
        }
        let connection = try await Self.connect(broker)
        kept.withLock { $0 = connection }
        let answer = try await connection.send(head, body: bytes, timeout: .seconds(60)).get()
        return TestAnswer(answer.0, answer.1)
    }

    func get(_ path: String) async throws -> TestAnswer { try await send(.GET, path) }

    /// Publishes one event.
    func publish(
        _ topic: String, _ json: [UInt8], _ headers: HTTPHeaders = [:]
    ) async throws -> TestAnswer {
        var all: HTTPHeaders = ["content-type": "application/json"]
        all.add(contentsOf: headers)
        return try await send(.POST, "/v1/topics/\(topic)/events", all, json)
    }

    /// Publishes one event.
    func publish(
        _ topic: String, _ json: String, _ headers: HTTPHeaders = [:]
    ) async throws -> TestAnswer {
        try await publish(topic, Array(json.utf8), headers)
    }

    /// Publishes bare values, one a line.
    func publish(
        _ topic: String, lines: [String], _ headers: HTTPHeaders = [:]
    ) async throws -> TestAnswer {
        var all: HTTPHeaders = ["content-type": "application/x-ndjson"]
        all.add(contentsOf: headers)
        let body = Array(lines.joined(separator: "\n").utf8)
        return try await send(.POST, "/v1/topics/\(topic)/events", all, body)
    }

    /// Publishes numbers, one an event, as the topic's next events.
    func publish(_ topic: String, numbers: ClosedRange<Int>) async throws {
        let answer = try await publish(topic, lines: numbers.map { "\($0)" })
        try #require(answer.status == 201, "\(answer.body.text)")
    }

    /// Publishes `{"n":7}` for each number, as the topic's next events.
    func publish(_ topic: String, objects numbers: ClosedRange<Int>) async throws {
        let answer = try await publish(topic, lines: numbers.map { #"{"n":\#($0)}"# })
        try #require(answer.status == 201, "\(answer.body.text)")
    }

    /// `POST /v1/events`.
    func publishMany(_ lines: [String], _ headers: HTTPHeaders = [:]) async throws -> TestAnswer {
        var all: HTTPHeaders = ["content-type": "application/x-ndjson"]
        all.add(contentsOf: headers)
        return try await send(
            .POST, "/v1/events", all, Array(lines.joined(separator: "\n").utf8))
    }

    /// The data of a topic's events in the log, as texts.
    func log(of topic: String) async throws -> [String] {
        let answer = try await get("/v1/topics/\(topic)/events?from=earliest&limit=1000")
        try #require(answer.status == 200, "\(answer.body.text)")
        return try answer.fields().objects("events").compactMap { $0.raw("data")?.text }
    }
}
