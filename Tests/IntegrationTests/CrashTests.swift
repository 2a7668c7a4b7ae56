import BrokerRuntime
import SluiceClient
import Testing

extension EndToEnd {
    @Suite("A broker that crashes") struct CrashTests {
        private let directory = TestDirectories.make()
        private let program: SluiceProgram

        init() { program = SluiceProgram(connectionFile: directory + "/connection.json") }

        /// Starts `sluice serve` and waits until it is ready.
        private func serve(_ address: String) async throws -> SluiceRun {
            let run = try program.start(
                "serve", "--listen", address, "--data-dir", directory, "--connection-file",
                program.connectionFile, "--log-level", "error")
            try await eventually("the broker") { run.output.text.contains("is ready at") }
            return run
        }

        @Test func `goes on when it is started again, without loss or repeats for its clients`()
            async throws
        {
            var broker = try await serve("https://127.0.0.1:0")
            let connection = try #require(ConnectionFile.read(path: program.connectionFile))
            let topic = freshTopic()
            let subscriber = try program.start(
                "subscribe", topic, "--from", "earliest", "--count", "300", "--timeout", "90s")
            let client = try BrokerClient(
                ClientConfiguration(
                    address: try BrokerAddress(connection.url), token: connection.token,
                    caFile: connection.caFile))
            let publisher = Task {
                for number in 1...300 {
                    let event = OutgoingEvent(topic: topic, data: Array("\(number)".utf8))
                    let result = try await client.publish(event, retryingFor: .seconds(60))
                    #expect(result.offset == number)
                }
            }
            for count in [50, 150] {
                try await eventually("\(count) events") { subscriber.output.lines.count >= count }
                broker.crash()
                _ = try await broker.end()
                broker = try await serve(connection.url)
            }
            try await publisher.value
            let outcome = try await subscriber.end()
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(outcome.lines == (1...300).map { "\(topic)  \($0)  \($0)" })
            #expect(ConnectionFile.read(path: program.connectionFile)?.token == connection.token)
            broker.interrupt()
            #expect(try await broker.end().status == 0)
        }
    }
}
