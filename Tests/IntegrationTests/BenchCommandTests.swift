import SluiceClient
import Testing

extension EndToEnd {
    @Suite("The benchmark") struct BenchCommandTests {
        private let broker: TestBroker
        private let program: SluiceProgram

        init() async throws {
            broker = try await TestBroker.shared
            program = SluiceProgram(broker)
        }

        @Test func `of slow readers finds everything delivered, and cleans up`() async throws {
            let run = try await program.run(
                "bench", "slow", "--subscribers", "10", "--stopping", "2", "--rate", "200",
                "--size", "4KiB", "--stretch", "300ms", "--pairs", "2", "--server-pid", "1",
                "--json")
            #expect(run.status == 0, "\(run.errors)")
            let fields = try JSONFields(run.output)
            let pairs = try fields.rawElements("pairs").map { try JSONFields($0) }
            #expect(pairs.count == 2)
            for pair in pairs {
                #expect(pair.integer("behind") == 0)
                #expect(pair.object("stopped")?.integer("events") ?? 0 > 0)
                #expect(try #require(pair.object("reading")?.integer("p99_ns")) > 0)
                #expect(pair.integer("memory_stopped_bytes") ?? 0 > 0)
            }
            let tally = try #require(fields.object("tally"))
            #expect(tally.integer("events") ?? 0 > 0)
            #expect(tally.integer("lost") == 0)
            try await expectNoTopics()
        }

        @Test func `of a storm finds everything delivered, and cleans up`() async throws {
            let run = try await program.run(
                "bench", "storm", "--clients", "20", "--topics", "2", "--missed", "700",
                "--live", "3", "--rate", "100", "--calm", "300ms", "--json")
            #expect(run.status == 0, "\(run.errors)")
            let fields = try JSONFields(run.output)
            #expect(fields.integer("behind") == 0)
            #expect(fields.object("clients")?.integer("events") == 14_000)
            #expect(fields.object("others")?.integer("lost") == 0)
            #expect(fields.object("calm")?.integer("events") ?? 0 > 0)
            try await expectNoTopics()
        }

        @Test func `says what is wrong with its options`() async throws {
            for (options, words) in [
                (["slow", "--stopping", "1001"], "at most --subscribers"),
                (["slow", "--size", "many"], "'many' is no size"),
                (["storm", "--calm", "0s"], "'0s' is no duration"),
                (["storm", "--server-pid", "2147483647"], "is no process"),
                (["storm", "--loops", "0"], "must be 1 to 64"),
            ] {
                let run = try await program.run(["bench"] + options)
                #expect(run.status == 2, "\(options)")
                #expect(run.errors.contains(words), "\(run.errors)")
            }
        }

        private func expectNoTopics() async throws {
            let list = try await program.run("topic", "list", "bench.>", "--json")
            #expect(list.output.isEmpty)
        }
    }
}
