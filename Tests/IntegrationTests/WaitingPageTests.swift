import EventModel
import NIOHTTP1
import SluiceClient
import Testing
import Transport

extension EndToEnd {
    @Suite("A page that waits for events") struct WaitingPageTests {
        private let broker: TestBroker
        private let http: TestHTTP
        private let topic = freshTopic("wait")

        init() async throws {
            broker = try await TestBroker.shared
            http = TestHTTP(broker)
        }

        private func next(_ answer: TestAnswer) throws -> String {
            let link = try #require(answer.headers.first(name: "link"))
            return String(try #require(link.dropFirst().split(separator: ">").first))
        }

        @Test func `gives everything that is published to who follows its links`() async throws {
            let poller = TestHTTP(broker)
            let topic = topic
            let reading = Task {
                var target = "/v1/topics/\(topic)/events?wait=20s"
                var numbers: [String] = []
                while numbers.count < 40 {
                    let answer = try await poller.get(target)
                    try #require(answer.status == 200, "\(answer.body.text)")
                    numbers += try answer.fields().objects("events").compactMap {
                        $0.raw("data")?.text
                    }
                    target = try next(answer)
                }
                return numbers
            }
            for number in 1...40 { try await http.publish(topic, numbers: number...number) }
            #expect(try await reading.value == (1...40).map(String.init))
        }

        @Test func `is empty when the time is over`() async throws {
            try await http.publish(topic, numbers: 1...1)
            let answer = try await http.get("/v1/topics/\(topic)/events?from=latest&wait=10ms")
            #expect(answer.status == 200)
            #expect(try answer.fields().objects("events").isEmpty)
            #expect(try answer.fields().flag("caught_up") == true)
            let refused = try await http.get("/v1/topics/\(topic)/events?wait=1h")
            try refused.expectProblem(400, .invalidRequest)
        }

        @Test func `as bare lines is published again as it came`() async throws {
            try await http.publish(topic, objects: 1...3)
            let lines = try await http.send(
                .GET, "/v1/topics/\(topic)/events?view=data",
                ["accept": "application/x-ndjson"])
            #expect(lines.body.text == "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n")
            let copy = "\(topic).copy"
            let again = try await http.send(
                .POST, "/v1/topics/\(copy)/events", ["content-type": "application/x-ndjson"],
                lines.body)
            try #require(again.status == 201, "\(again.body.text)")
            #expect(try await http.log(of: copy) == ["{\"n\":1}", "{\"n\":2}", "{\"n\":3}"])
        }

        @Test func `and one event are not sent again to who has them`() async throws {
            try await http.publish(topic, numbers: 1...1)
            for path in ["/v1/topics/\(topic)/events/1", "/v1/topics/\(topic)"] {
                let first = try await http.get(path)
                let tag = try #require(first.headers.first(name: "etag"))
                let again = try await http.send(.GET, path, ["if-none-match": tag])
                #expect(again.status == 304 && again.body.isEmpty)
                #expect(again.headers.first(name: "etag") == tag)
                let head = try await http.send(.HEAD, path)
                #expect(head.status == 200 && head.body.isEmpty)
                #expect(head.headers.first(name: "etag") == tag)
                let length = first.headers.first(name: "content-length")
                #expect(head.headers.first(name: "content-length") == length)
            }
        }
    }
}
