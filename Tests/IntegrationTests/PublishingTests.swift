import EventModel
import NIOHTTP1
import SluiceClient
import Testing

extension EndToEnd {
    @Suite("Publishing over HTTP") struct PublishingTests {
        private let http: TestHTTP

        init() async throws { http = TestHTTP(try await TestBroker.shared) }

        @Test func `answers where the event was appended`() async throws {
            let topic = freshTopic()
            let first = try await http.publish(topic, "[1,2]")
            #expect(first.status == 201)
            #expect(first.headers.first(name: "location") == "/v1/topics/\(topic)/events/1")
            let fields = try first.fields()
            #expect(fields.text("topic") == topic)
            #expect(fields.integer("first_offset") == 1)
            #expect(fields.integer("last_offset") == 1)
            #expect(fields.flag("repeated") == false)
            let cursor = try #require(fields.text("cursor"))
            #expect(cursor.hasSuffix("-1"))
            #expect(first.headers.first(name: "etag") == "\"\(cursor)\"")
            #expect(try await http.log(of: topic) == ["[1,2]"])
            let event = try await http.get("/v1/topics/\(topic)/events/1")
            #expect(event.status == 200)
            #expect(try event.fields().raw("data")?.text == "[1,2]")
        }

        @Test func `takes bare values, one a line, in one commit`() async throws {
            let topic = freshTopic()
            let answer = try await http.publish(
                topic, lines: ["1", #" {"topic":"x"} "#, "", #""three""#, ""])
            #expect(answer.status == 201, "\(answer.body.text)")
            #expect(try answer.fields().integer("first_offset") == 1)
            #expect(try answer.fields().integer("last_offset") == 3)
            #expect(try await http.log(of: topic) == ["1", #"{"topic":"x"}"#, #""three""#])
        }

        @Test func `appends nothing when one line is bad`() async throws {
            let topic = freshTopic()
            let answer = try await http.publish(topic, lines: ["1", "2", "{\"a\":}", "4"])
            try answer.expectProblem(400, .invalidJSON)
            #expect(try answer.fields().object("at")?.integer("line") == 3)
            #expect(try answer.fields().text("committed") == "no")
            try await http.get("/v1/topics/\(topic)").expectProblem(404, .topicNotFound)
        }

        @Test func `appends to many topics at once, answered in the order of the lines`()
            async throws
        {
            let (a, b) = (freshTopic("a"), freshTopic("b"))
            let answer = try await http.publishMany([
                #"{"topic":"\#(a)","data":1}"#, #"{"topic":"\#(b)","data":2,"key":"k"}"#,
                #"{"data":3,"topic":"\#(a)"}"#,
            ])
            #expect(answer.status == 201, "\(answer.body.text)")
            let results = try answer.fields().objects("results")
            #expect(results.map { $0.text("topic") } == [a, b, a])
            #expect(results.map { $0.integer("offset") } == [1, 1, 2])
            #expect(try await http.log(of: a) == ["1", "3"])
            #expect(try await http.log(of: b) == ["2"])
        }

        @Test func `appends to none of many topics when one line can't be appended`() async throws {
            let (a, b) = (freshTopic("a"), freshTopic("b"))
            _ = try await http.publishMany([#"{"topic":"\#(b)","data":1,"event_id":"x"}"#])
            let conflict = try await http.publishMany([
                #"{"topic":"\#(a)","data":1}"#, #"{"topic":"\#(b)","data":2,"event_id":"x"}"#,
            ])
            try conflict.expectProblem(422, .idempotencyConflict)
            let malformed = try await http.publishMany([
                #"{"topic":"\#(a)","data":1}"#, #"{"topic":"\#(b)","data":2,"colour":"red"}"#,
            ])
            try malformed.expectProblem(400, .unknownField)
            #expect(try malformed.fields().object("at")?.text("field") == "colour")
            // The topic may have come into being; no event may.
            let topic = try await http.get("/v1/topics/\(a)")
            let latest = topic.status == 404 ? 0 : try topic.fields().integer("latest")
            #expect(latest == 0)
            #expect(try await http.log(of: b) == ["1"])
        }

        @Test func `appends once per idempotency key, and refuses the key for another body`()
            async throws
        {
            let topic = freshTopic()
            let key: HTTPHeaders = ["idempotency-key": "k1"]
            let first = try await http.publish(topic, #"{"n":1}"#, key)
            let again = try await http.publish(topic, #" {"n":1} "#, key)
            #expect(again.status == 201)
            #expect(try again.fields().flag("repeated") == true)
            #expect(try again.fields().text("cursor") == first.fields().text("cursor"))
            try await http.publish(topic, #"{"n":2}"#, key).expectProblem(422, .idempotencyConflict)
            let id: HTTPHeaders = ["sluice-event-id": "k1"]
            #expect(try await http.publish(topic, "3", id).fields().flag("repeated") == false)
            #expect(try await http.publish(topic, "3", id).fields().flag("repeated") == true)
            #expect(try await http.log(of: topic) == [#"{"n":1}"#, "3"])
        }

        @Test func `appends behind the expected head only`() async throws {
            let topic = freshTopic()
            let first = try await http.publish(topic, "1", ["if-none-match": "*"])
            #expect(first.status == 201, "\(first.body.text)")
            let tag = try #require(first.headers.first(name: "etag"))
            try await http.publish(topic, "2", ["if-none-match": "*"]).expectProblem(
                412, .headMoved)
            let second = try await http.publish(topic, "2", ["if-match": tag])
            #expect(second.status == 201)
            let moved = try await http.publish(topic, "3", ["if-match": tag])
            try moved.expectProblem(412, .headMoved)
            #expect(try moved.fields().text("cursor") == second.fields().text("cursor"))
            #expect(moved.headers.first(name: "etag") == second.headers.first(name: "etag"))
            #expect(try await http.log(of: topic) == ["1", "2"])
        }
    }
}
