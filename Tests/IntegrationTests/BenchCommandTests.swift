import BrokerRuntime
import Foundation
import SluiceClient
import Testing
import Transport

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

        /// Runs a scenario that measures this process, in which the broker is.
        private func figures(_ words: String...) async throws -> (JSONFields, of: JSONFields) {
            let run = try await program.run(
                ["bench"] + words + ["--server-pid", "\(getpid())", "--json"])
            #expect(run.status == 0, "\(run.errors)")
            let fields = try JSONFields(run.output)
            #expect(fields.flag("sound") == true)
            #expect(fields.object("delivered")?.integer("lost") == 0)
            try await expectNoTopics()
            return (fields, of: try #require(fields.object("figures")))
        }

        /// A figure, which is there; its digits behind the point are cut.
        private func value(_ name: String, _ figures: JSONFields) throws -> Double {
            let text = try #require(figures.raw(name), "no \(name)")
            return try #require(Double(String(decoding: text, as: UTF8.self)))
        }

        @Test func `of fan-out tells what a delivery costs the broker and the load`() async throws {
            let (fields, figures) = try await figures(
                "fanout", "--subscribers", "20", "--topics", "4", "--outstanding", "8",
                "--duration", "500ms", "--loops", "2")
            for name in ["deliveries_per_s", "broker_us_per_delivery", "load_us_per_delivery"] {
                #expect(try value(name, figures) > 0)
            }
            #expect(try value("events_per_record", figures) >= 1)
            #expect(try value("delivery_p50_ns", figures) > 0)
            let events = try #require(fields.object("delivered")?.integer("events"))
            #expect(events >= 20)
            #expect(events % 5 == 0)
        }

        @Test func `of latency keeps to its rate`() async throws {
            let (_, figures) = try await figures(
                "latency", "--rate", "200", "--subscribers", "6", "--topics", "3", "--duration",
                "1s")
            #expect(try value("events_per_s", figures) < 220)
            #expect(try value("answer_p50_ns", figures) > 0)
            #expect(
                try value("delivery_p99_ns", figures) >= value("delivery_p50_ns", figures))
        }

        @Test(arguments: ["1", "20"]) func `of publishes reads all that was answered`(
            batch: String
        ) async throws {
            let (fields, figures) = try await figures(
                "publish", "--batch", batch, "--topics", "2", "--connections", "3",
                "--outstanding", "6", "--duration", "500ms")
            #expect(try value("requests_per_s", figures) > 0)
            #expect(try value("answer_p50_ns", figures) > 0)
            #expect(try value("broker_us_per_event", figures) > 0)
            let events = try #require(fields.object("delivered")?.integer("events"))
            #expect(events > 0)
            #expect(events % (Int64(batch) ?? 1) == 0)
        }

        @Test func `of idle sessions has one event for each at the end`() async throws {
            let (fields, figures) = try await figures(
                "idle", "--connections", "50", "--hold", "100ms")
            #expect(try value("connections", figures) == 50)
            #expect(try value("broker_us_per_handshake", figures) > 0)
            #expect(figures.raw("kernel_bytes_per_connection") != nil)
            #expect(figures.raw("memory_bytes_per_connection") != nil)
            #expect(fields.object("delivered")?.integer("events") == 50)
        }

        @Test func `of filters gets what they let through, and nothing else`() async throws {
            let (fields, figures) = try await figures(
                "filters", "--subscribers", "6", "--filters", "3", "--share", "30", "--rate",
                "300", "--duration", "500ms")
            #expect(figures.raw("filter_us") != nil)
            #expect(try value("deliveries_per_s", figures) > 0)
            #expect(fields.object("delivered")?.integer("unwanted") == 0)
            #expect(fields.object("delivered")?.integer("events") ?? 0 > 0)
        }

        @Test(arguments: ["fanout", "slow", "storm"])
        func `compares two brokers, one after the other`(scenario: String) async throws {
            let options = [
                "fanout": ["--subscribers", "5", "--duration", "200ms"],
                "slow": [
                    "--subscribers", "4", "--stopping", "1", "--stretch", "200ms", "--rate", "50",
                ],
                "storm": [
                    "--clients", "5", "--missed", "50", "--live", "2", "--calm", "200ms",
                ],
            ]
            let run = try await program.run(
                ["bench", scenario, "--pairs", "2", "--json"] + (options[scenario] ?? []) + [
                    "--against-connection-file", broker.connectionFile,
                ])
            #expect(run.status == 0, "\(run.errors)")
            let fields = try JSONFields(run.output)
            #expect(fields.rawElements("runs").count == 2)
            let against = try #require(fields.object("against"))
            #expect(against.rawElements("runs").count == 2)
            #expect(against.object("delivered")?.integer("lost") == 0)
            let name = ["fanout": "events_per_s", "slow": "p99_ratio", "storm": "storm_p50_ns"]
            let ratios = try #require(fields.object("ratios"))
            #expect(try value(name[scenario] ?? "", ratios) > 0)
            try await expectNoTopics()
        }

        @Test func `prints a table for people`() async throws {
            let run = try await program.run(
                "bench", "fanout", "--subscribers", "2", "--duration", "100ms")
            #expect(run.status == 0, "\(run.errors)")
            #expect(run.lines.first?.contains("VALUE  WHAT") == true)
            #expect(run.lines.contains { $0.hasSuffix("load's CPU for each delivery") })
            #expect(run.lines.contains { $0.contains(" 0 lost, 0 repeated,") })
            #expect(run.lines.last?.contains("--server-pid") == true)
        }

        @Test func `says which of two brokers is not there, before it measures`() async throws {
            let run = try await program.run(
                "bench", "fanout", "--against", "https://127.0.0.1:1")
            #expect(run.status == 3)
            #expect(run.errors.contains("https://127.0.0.1:1 can't be reached"))
        }

        @Test func `says what to do when the broker takes no more connections`() async throws {
            let small = try await TestBroker.start { $0.transport.connectionsMax = 5 }
            let run = try await SluiceProgram(small).run(
                "bench", "idle", "--connections", "20", "--hold", "100ms")
            try await small.stop()
            #expect(run.status == 1)
            #expect(run.errors.contains("closed a new connection"), "\(run.errors)")
            #expect(run.errors.contains("connections_max"))
        }

        @Test func `says what to do when it may not open as many files`() async throws {
            let run = try await SluiceRun(
                program,
                [
                    "-c", #"ulimit -Sn 64 && ulimit -Hn 256 && exec "$0" "$@""#,
                    SluiceRun.executable.path, "bench", "idle", "--connections", "1000",
                ], input: [], environment: [:], executable: URL(filePath: "/bin/sh")
            ).end()
            #expect(run.status == 2)
            #expect(run.errors.contains("This needs 1065 open files, and 256 are allowed"))
            #expect(run.errors.contains("ulimit -Hn"))
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
