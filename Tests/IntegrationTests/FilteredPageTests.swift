import EventModel
import NIOHTTP1
import SluiceClient
import Testing

extension EndToEnd {
    @Suite("A page with a filter") struct FilteredPageTests {
        private let broker: TestBroker
        private let http: TestHTTP
        private let topic = freshTopic("filter")

        init() async throws {
            broker = try await TestBroker.shared
            http = TestHTTP(broker)
        }

        private func page(_ filter: String, _ rest: String = "") async throws -> TestAnswer {
            try await http.get(
                "/v1/topics/\(topic)/events?filter=\(percentEncoded(filter))\(rest)")
        }

        private func offsets(_ answer: TestAnswer) throws -> [Int64] {
            try answer.fields().objects("events").compactMap { $0.integer("offset") }
        }

        /// The next page, by the answer's own link.
        private func next(_ answer: TestAnswer) async throws -> TestAnswer {
            let link = try #require(answer.headers.first(name: "link"))
            return try await http.get(
                String(try #require(link.dropFirst().split(separator: ">").first)))
        }

        @Test func `holds what fits, by data, key and topic`() async throws {
            let published = try await http.publishMany([
                #"{"topic":"\#(topic)","data":{"price":101,"symbol":"ACME"},"key":"a"}"#,
                #"{"topic":"\#(topic)","data":{"price":99,"symbol":"ACME"},"key":"b"}"#,
                #"{"topic":"\#(topic)","data":{"price":1e3,"symbol":"ACME"},"key":"b"}"#,
                #"{"topic":"\#(topic)","data":{"price":102,"symbol":"HOOLI"},"attributes":{"x":"y"}}"#,
                #"{"topic":"\#(topic)","data":[]}"#,
            ])
            try #require(published.status == 201, "\(published.body.text)")
            let filters: [(String, [Int64])] = [
                (#"$.price > 100 && $.symbol == "ACME""#, [1, 3]), (#"$key == "b""#, [2, 3]),
                (#"$attributes.x starts with "y""#, [4]), (#"!exists($.price)"#, [5]),
                (#"$topic like_regex "\\.filter$" && $.price < 100"#, [2]),
                (#"$topic == "x""#, []),
            ]
            for (filter, expected) in filters {
                let answer = try await page(filter)
                #expect(answer.status == 200, "\(answer.body.text)")
                #expect(try offsets(answer) == expected, "\(filter)")
                #expect(try answer.fields().flag("caught_up") == true)
                #expect(try answer.fields().text("cursor")?.hasSuffix("-5") == true)
            }
        }

        @Test(.timeLimit(.minutes(2)))
        func `goes on behind all that it looked at, however little fits`() async throws {
            for start in [1, 5001, 10_001] {
                try await http.publish(topic, objects: start...min(start + 4999, 12_000))
            }
            let first = try await page("$.n > 11997")
            #expect(try offsets(first) == [])
            let fields = try first.fields()
            #expect(fields.flag("caught_up") == false)
            #expect(fields.text("cursor")?.hasSuffix("-10000") == true)
            #expect(fields.objects("gaps").isEmpty)
            let second = try await next(first)
            #expect(try offsets(second) == [11_998, 11_999, 12_000])
            #expect(try second.fields().flag("caught_up") == true)
            let limited = try await page("$.n > 11997", "&from=offset:11000&limit=2")
            #expect(try offsets(limited) == [11_998, 11_999])
            #expect(try limited.fields().flag("caught_up") == false)
            #expect(try await offsets(next(limited)) == [12_000])
        }

        @Test func `tells gaps as ever`() async throws {
            try await http.publish(topic, objects: 1...9)
            let purged = try await http.send(.DELETE, "/v1/topics/\(topic)/events?before=5")
            try #require(purged.status == 200, "\(purged.body.text)")
            let answer = try await page("$.n == 7", "&from=offset:2")
            let gap = try #require(try answer.fields().objects("gaps").first)
            #expect(gap.integer("from") == 2 && gap.integer("to") == 4)
            #expect(gap.text("reason") == "purged")
            #expect(try offsets(answer) == [7])
            #expect(try answer.fields().text("cursor")?.hasSuffix("-9") == true)
        }

        @Test func `is refused with the byte at which the filter goes wrong`() async throws {
            try await http.publish(topic, objects: 1...1)
            let answer = try await page("$.n = 1")
            try answer.expectProblem(400, .invalidFilter)
            let place = try answer.fields().object("at")
            #expect(place?.integer("byte") == 4 && place?.text("field") == "filter")
            let long = try await page("$.n == 1" + String(repeating: " ", count: 4089))
            #expect(long.status == 414)
        }

        @Test func `is what the export prints`() async throws {
            try await http.publish(topic, objects: 1...2500)
            let program = SluiceProgram(connectionFile: broker.connectionFile)
            let export = try await program.run(
                "topic", "export", topic, "--filter", "$.n == 3 || $.n > 2498")
            #expect(export.status == 0, "\(export.errors)")
            let lines = try export.output.lines.map { try JSONFields($0).integer("offset") }
            #expect(lines == [3, 2499, 2500])
            let refused = try await program.run("topic", "export", topic, "--filter", "$.n = 3")
            #expect(refused.status == 2)
            #expect(refused.errors.contains("\n  $.n = 3\n      ^\n"), "\(refused.errors)")
        }
    }
}
