import RepeatableChance
import EventModel
import NIOCore
import NIOHTTP1
import SluiceClient
import Testing
import Transport

extension EndToEnd {
    @Suite("A bad request") struct BadRequestTests {
        private let http: TestHTTP
        private let topic = freshTopic("bad")

        init() async throws { http = TestHTTP(try await TestBroker.shared) }

        @Test func `of another media type is answered 415`() async throws {
            let path = "/v1/topics/\(topic)/events"
            try await http.send(.POST, path, ["content-type": "text/plain"], [0x31])
                .expectProblem(415, .unsupportedMediaType)
            try await http.send(.POST, path, [:], [0x31]).expectProblem(415, .unsupportedMediaType)
        }

        @Test func `for an unknown route is answered 404, with another method 405`() async throws {
            try await http.get("/v1/nothing").expectProblem(404, .notFound)
            try await http.get("/v1/topics/\(topic)").expectProblem(404, .topicNotFound)
            let answer = try await http.send(.DELETE, "/v1/events")
            try answer.expectProblem(405, .methodNotAllowed)
            #expect(answer.headers.first(name: "allow")?.contains("POST") == true)
        }

        @Test func `that is too large is answered 413`() async throws {
            var random = SeededGenerator()
            let event = SampleEvents.text(bytes: (1 << 20) + 1, using: &random)
            try await http.publish(topic, event).expectProblem(413, .eventTooLarge)
            let body = [UInt8](repeating: 0x20, count: (16 << 20) + 1)
            try await http.publish(topic, body).expectProblem(413, .bodyTooLarge)
            let lines = Array(repeating: "1", count: 10_001)
            try await http.publish(topic, lines: lines).expectProblem(413, .bodyTooLarge)
            #expect(try await http.publish(topic, lines: lines.dropLast()).status == 201)
            let most = SampleEvents.text(bytes: 1 << 20, using: &random)
            #expect(try await http.publish(topic, most).status == 201)
        }

        @Test func `for a topic with a bad or reserved name says so`() async throws {
            for name in [
                "a..b", ".a", "a%20b", "a.>", "%C3%A9", String(repeating: "a", count: 201),
            ] {
                try await http.publish(name, "1").expectProblem(400, .invalidTopic)
            }
            try await http.publish("sluice.internal", "1").expectProblem(403, .forbidden)
        }

        @Test func `that is not JSON or not UTF-8 is told where`() async throws {
            let cases: [([UInt8], ErrorCode, Int64)] = [
                (Array("{\"a\":tru}".utf8), .invalidJSON, 8),
                ([0x22, 0x61, 0xFF, 0x22], .invalidUTF8, 2),
                ([0x22, 0x00, 0x22], .invalidJSON, 1),
                ([], .invalidJSON, 0),
                (SampleEvents.nested(513), .invalidJSON, 512),
            ]
            for (body, code, byte) in cases {
                let answer = try await http.publish(topic, body)
                try answer.expectProblem(400, code)
                #expect(try answer.fields().object("at")?.integer("byte") == byte, "\(body.text)")
            }
        }

        @Test func `without a valid token is answered 401, and no secret comes back`() async throws
        {
            let broker = http.broker
            let stranger = try await TestHTTP.connect(broker)
            let path = "/v1/topics/\(topic)/events"
            let wrong = "slc_0123456789_" + String(repeating: "a", count: 40)
            for credential in [nil, "Bearer \(wrong)", "Basic YTpi", "Bearer ", "Bearer x"] {
                var headers: HTTPHeaders = ["content-type": "application/json"]
                if let credential { headers.add(name: "authorization", value: credential) }
                let head = HTTPRequestHead(
                    version: .http1_1, method: .POST, uri: path, headers: headers)
                let (answerHead, body) = try await stranger.send(head, body: .init(string: "1"))
                    .get()
                let answer = TestAnswer(answerHead, body)
                try answer.expectProblem(401, .unauthorized)
                #expect(answer.headers.first(name: "www-authenticate")?.hasPrefix("Bearer") == true)
                #expect(!answer.body.text.contains(wrong))
            }
        }

        @Test func `does not need a token to ask for health`() async throws {
            let stranger = try await TestHTTP.connect(http.broker)
            for path in ["/healthz", "/readyz", "/v1/errors", "/v1/errors/invalid_json"] {
                let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: path)
                #expect(try await stranger.send(head).get().0.status == .ok, "\(path)")
            }
        }
    }
}
