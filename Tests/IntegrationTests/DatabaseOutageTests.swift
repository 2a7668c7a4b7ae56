import RepeatableChance
import BrokerRuntime
import EventModel
import Glibc
import NIOHTTP1
import PostgresCluster
import SessionProtocol
import SluiceClient
import Testing

extension EndToEnd {
    @Suite("When PostgreSQL goes away") struct DatabaseOutageTests {
        @Test func `a managed server that was killed comes back, and nothing acknowledged is lost`()
            async throws
        {
            let broker = try await TestBroker.start()
            let base = freshTopic("managed")
            let topics = (1...3).map { "\(base).\($0)" }
            let session = try await TestSocket.session(broker)
            session.send(#"{"type":"subscribe","id":1,"topic":"\#(base).*"}"#)
            _ = try await session.messages { $0 == .live(id: 1) }

            let publishers = topics.map { topic in
                Task {
                    let http = TestHTTP(broker)
                    for number in 1...200 { try await publish(number, topic, http) }
                }
            }
            for part in 1...2 {
                _ = try await session.events(100 * part)
                let postmaster = try #require(broker.postmaster)
                kill(postmaster, SIGKILL)
                try await eventually("another postmaster") {
                    broker.postmaster.map { $0 != postmaster } ?? false
                }
            }
            for publisher in publishers { try await publisher.value }
            let last = try await session.events(300)
            for topic in topics {
                #expect(last.last { $0.topic.text == topic }?.event.offset == 200)
            }

            let http = TestHTTP(broker)
            try await eventually("readiness") { try await http.get("/readyz").status == 200 }
            let expected = (1...200).map { "\($0)" }
            for topic in topics { #expect(try await http.log(of: topic) == expected) }
            try await broker.stop()
        }

        /// Until it is acknowledged; the event id makes the repetition harmless.
        private func publish(_ number: Int, _ topic: String, _ http: TestHTTP) async throws {
            try await eventually("publish \(number)") {
                let answer = try await http.publish(
                    topic, "\(number)", ["sluice-event-id": "\(number)"])
                guard answer.status != 201 else { return true }
                #expect(answer.status == 503, "\(answer.body.text)")
                #expect(answer.headers.contains(name: "retry-after"))
                return false
            }
        }

        @Test func `publishers are told 503, and subscribers stay and go on`() async throws {
            let cluster = PostgresCluster()
            defer { cluster.stop() }
            let database = try cluster.freshDatabase()
            let broker = try await TestBroker.start { $0.databaseURL = database }
            let http = TestHTTP(broker)
            let topic = freshTopic("outage")
            try await http.publish(topic, numbers: 1...3)
            let session = try await TestSocket.session(broker)
            session.send(#"{"type":"subscribe","id":1,"topic":"\#(topic)","from":"earliest"}"#)
            #expect(try await session.data(3) == ["1", "2", "3"])
            #expect(try await session.message() == .live(id: 1))

            try cluster.killServer()
            let refused = try await http.publish(topic, "4")
            try refused.expectProblem(503, .databaseUnavailable)
            #expect(refused.headers.first(name: "retry-after").flatMap { Int($0) } ?? 0 > 0)
            #expect(try refused.fields().text("committed") == "no")
            let unready = try await http.get("/readyz")
            try unready.expectProblem(503, .databaseUnavailable)
            #expect(try await http.get("/healthz").status == 200)
            session.send(#"{"type":"publish","id":5,"topic":"\#(topic)","data":5}"#)
            let error = try await session.error()
            #expect(error.code == "database_unavailable")
            #expect(error.retryAfter != nil)

            try cluster.restart()
            try await eventually("readiness") { try await http.get("/readyz").status == 200 }
            try await http.publish(topic, numbers: 4...6)
            #expect(try await session.data(3) == ["4", "5", "6"])
            try await broker.stop()
        }

        @Test func `a subscriber that lags meanwhile gets the rest from the log`() async throws {
            let cluster = PostgresCluster()
            defer { cluster.stop() }
            let database = try cluster.freshDatabase()
            let broker = try await TestBroker.start { configuration in
                configuration.databaseURL = database
                configuration.limits.backlogBytesMax = 64 << 10
                configuration.limits.recentEventsBytesMax = 0
            }
            let http = TestHTTP(broker)
            let topic = freshTopic("lagging")
            let session = try await TestSocket.session(broker)
            session.send(#"{"type":"subscribe","id":1,"topic":"\#(topic)"}"#)
            _ = try await session.messages { $0 == .live(id: 1) }
            session.pause()
            var random = SeededGenerator()
            print("seed \(random.seed)")
            let event = SampleEvents.text(bytes: 512 << 10, using: &random)
            for _ in 1...32 {
                let answer = try await http.publish(topic, event)
                try #require(answer.status == 201, "\(answer.body.text)")
            }
            try cluster.killServer()
            try await eventually("unreadiness") { try await http.get("/readyz").status == 503 }
            session.resume()
            // What the kernel held of the socket arrives; the rest is in a log that is away.
            #expect(try await session.events(1)[0].event.offset == 1)
            try cluster.restart()
            #expect(try await session.events(31).last?.event.offset == 32)
            try await eventually("readiness") { try await http.get("/readyz").status == 200 }
            try await http.publish(topic, numbers: 33...33)
            #expect(try await session.data(1) == ["33"])
            try await broker.stop()
        }
    }
}
