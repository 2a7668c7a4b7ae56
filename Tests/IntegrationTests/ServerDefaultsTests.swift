import BrokerRuntime
import EventModel
import NIOHTTP1
import PostgresBridge
import PostgresCluster
import SluiceClient
import Testing

extension EndToEnd {
    @Suite("The server's defaults") struct ServerDefaultsTests {
        @Test func `are one truth for two brokers and SQL publishers`() async throws {
            let database = try PostgresCluster.shared.freshDatabase()
            let told = try await TestBroker.start {
                $0.databaseURL = database
                $0.node = "told"
                $0.serverSettings.createsTopics = false
                $0.serverSettings.eventBytesMax = 2 << 20
                $0.serverSettings.retainAge = .limited(.seconds(604_800))
            }
            let untold = try await TestBroker.start {
                $0.databaseURL = database
                $0.node = "untold"
            }
            let topic = freshTopic("defaults")
            let http = TestHTTP(untold, token: told.token)
            try await http.publish(topic, "1").expectProblem(404, .topicNotFound)
            let created = try await http.send(
                .PUT, "/v1/topics/\(topic)", ["content-type": "application/json"],
                Array("{}".utf8))
            #expect(created.status == 201, "\(created.body.text)")
            let large = "\"\(String(repeating: "x", count: 3 << 19))\""
            #expect(try await http.publish(topic, large).status == 201)
            let user = try PostgresConnection(PostgresConfiguration(conninfo: database))
            defer { user.close() }
            _ = try user.query("SELECT sluice.publish($1, $2)", [.text(topic), .text(large)])
            _ = try user.query("SELECT sluice.publish($1, '1')", [.text("\(topic).none")])
            try await eventually("the event from SQL") {
                try await http.get("/v1/topics/\(topic)").fields().integer("latest") == 2
            }
            #expect(try await http.get("/v1/topics/\(topic).none").status == 404)
            let described = try await SluiceProgram(told).run("topic", "describe", topic)
            #expect(described.lines.contains("kept for     default (7d)"), "\(described.errors)")
            #expect(described.lines.contains("event size   default (2.0 MiB)"))
            try await told.stop()
            try await untold.stop()
        }
    }
}
