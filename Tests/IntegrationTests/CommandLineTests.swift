import BrokerRuntime
import EventModel
import SessionProtocol
import SluiceClient
import Testing
import Transport

extension EndToEnd {
    @Suite("The command line") struct CommandLineTests {
        private let broker: TestBroker
        private let program: SluiceProgram

        init() async throws {
            broker = try await TestBroker.shared
            program = SluiceProgram(broker)
        }

        @Test func `publishes an argument, a file and standard input`() async throws {
            let topic = freshTopic()
            let argument = try await program.run("publish", topic, #"{"n": 1}"#)
            #expect(argument.status == 0, "\(argument.errors)")
            #expect(argument.lines.first?.hasPrefix("\(topic)  1  ") == true)
            let file = program.home + "/event.json"
            try writeFile("[2,\n3]\n".utf8, to: file)
            #expect(try await program.run("publish", topic, "--file", file).status == 0)
            let piped = try await program.run("publish", topic, "--json", input: Array("3".utf8))
            #expect(try JSONFields(piped.output).integer("last_offset") == 3)
            let lines = try await program.run(
                "publish", "--ndjson", topic, input: Array("4\n\n5".utf8))
            #expect(lines.errors.contains("published 2 events to 1 topic"), "\(lines.errors)")
            #expect(
                try await TestHTTP(broker).log(of: topic)
                    == [#"{"n": 1}"#, "[2,\n3]", "3", "4", "5"])
        }

        @Test func `publishes to an ephemeral topic, which remembers no keys`() async throws {
            let topic = freshTopic()
            #expect(
                try await program.run("topic", "create", topic, "--ephemeral").status == 0)
            let one = try await program.run("publish", topic, #"{"n":1}"#)
            #expect(one.status == 0, "\(one.errors)")
            #expect(one.lines.first?.hasPrefix("\(topic)  1  ") == true)
            let lines = try await program.run(
                "publish", "--ndjson", topic, input: Array("2\n3".utf8))
            #expect(lines.errors.contains("published 2 events to 1 topic"), "\(lines.errors)")
            let keyed = try await program.run("publish", topic, "4", "--idempotency-key", "k")
            #expect(keyed.status == 2, "\(keyed.errors)")
            #expect(keyed.errors.contains("is ephemeral and remembers no keys"))
        }

        @Test func `creates, lists and describes topics`() async throws {
            let base = freshTopic()
            let created = try await program.run(
                "topic", "create", "\(base).b", "--retain-age", "7d", "--description", "for é",
                "--json")
            #expect(created.status == 0, "\(created.errors)")
            #expect(try JSONFields(created.output).text("topic") == "\(base).b")
            #expect(try await program.run("topic", "create", "\(base).a").status == 0)
            let again = try await program.run("topic", "create", "\(base).b")
            #expect(again.status == 4, "\(again.errors)")
            let list = try await program.run("topic", "list", "\(base).*", "--json")
            let names = try list.output.lines.map { try JSONFields($0).text("topic") }
            #expect(names == ["\(base).a", "\(base).b"])
            #expect(try await program.run("publish", "\(base).b", "1").status == 0)
            let described = try await program.run("topic", "describe", "\(base).b", "--json")
            let fields = try JSONFields(described.output)
            #expect(fields.integer("latest") == 1)
            #expect(fields.text("description") == "for é")
            #expect(fields.object("retain")?.text("age") == "7d")
            #expect(try await program.run("topic", "describe", "\(base).c").status == 4)
        }

        @Test func `prints events that can be published back`() async throws {
            let (from, to) = (freshTopic("from"), freshTopic("to"))
            let http = TestHTTP(broker)
            let published = try await http.publishMany([
                #"{"topic":"\#(from)","data":{"n":1.10},"key":"k","event_id":"a"}"#,
                #"{"topic":"\#(from)","data":"é\u0000"}"#,
                #"{"topic":"\#(from)","data":[1, 2],"attributes":{"x":"y"}}"#,
            ])
            #expect(published.status == 201, "\(published.body.text)")
            let printed = try await program.run(
                "subscribe", from, "--from", "earliest", "--count", "3", "--json")
            #expect(printed.status == 0, "\(printed.errors)")
            let renamed = printed.output.text.replacing(from, with: to)
            let back = try await program.run("publish", "--ndjson", input: Array(renamed.utf8))
            #expect(back.status == 0, "\(back.errors)")
            #expect(try await http.log(of: to) == [#"{"n":1.10}"#, #""é\u0000""#, "[1, 2]"])
            let event = try await http.get("/v1/topics/\(to)/events/1").fields()
            #expect(event.text("key") == "k")
            #expect(event.text("event_id") == "a")
        }

        @Test func `ends with the exit code that scripts expect`() async throws {
            let topic = freshTopic()
            #expect(try await program.run("publish", topic, "{bad").status == 2)
            #expect(try await program.run("dance").status == 2)
            #expect(try await program.run("publish").status == 2)
            #expect(try await program.run("publish", "a..b", "1").status == 2)
            let bitten = try await program.run("subscribe", "demo.")
            #expect(bitten.status == 2)
            #expect(bitten.errors.contains("uote the pattern"), "\(bitten.errors)")
            let away = try await program.run(
                "publish", topic, "1", "--url", "https://127.0.0.1:1", "--timeout", "1s")
            #expect(away.status == 3, "\(away.errors)")
            let untold = try await SluiceProgram(connectionFile: "/nonexistent")
                .run("publish", topic, "1")
            #expect(untold.status == 3, "\(untold.errors)")
            let stranger = try await program.run("publish", topic, "1", "--token", "slc_no_body")
            #expect(stranger.status == 4, "\(stranger.errors)")
            let few = try await program.run(
                "subscribe", topic, "--count", "1", "--timeout", "500ms")
            #expect(few.status == 1, "\(few.errors)")
            #expect(try await program.run("--help").status == 0)
            #expect(try await program.run("--version").status == 0)
        }

        @Test func `says when the broker's certificate is not trusted`() async throws {
            let run = try await SluiceProgram(connectionFile: "/nonexistent")
                .run("publish", freshTopic(), "1", "--url", "https://127.0.0.1:\(broker.port)")
            #expect(run.status == 3, "\(run.errors)")
            #expect(run.errors.contains("--ca-file"), "\(run.errors)")
        }

        @Test func `creates, lists and revokes tokens`() async throws {
            let topic = freshTopic()
            let created = try await program.run(
                "token", "create", "--name", "for é", "--ttl", "1h", "--json")
            #expect(created.status == 0, "\(created.errors)")
            let token = try #require(try JSONFields(created.output).text("token"))
            let id = try #require(try JSONFields(created.output).text("id"))
            let allowed = try await program.run("publish", topic, "1", "--token", token)
            #expect(allowed.status == 0, "\(allowed.errors)")

            let other = try await program.run("token", "create", "--name", "other")
            let secret = try #require(other.lines.first)
            let revoked = try await program.run("token", "revoke", secret)
            #expect(revoked.status == 0, "\(revoked.errors)")
            let refused = try await program.run("publish", topic, "2", "--token", secret)
            #expect(refused.status == 4, "\(refused.errors)")
            #expect(try await program.run("token", "revoke", secret).status == 4)

            let list = try await program.run("token", "list", "--json")
            let known = try list.output.lines.map { try JSONFields($0) }
            let listed = try #require(known.first { $0.text("id") == id })
            #expect(listed.text("name") == "for é")
            #expect(listed.text("expires") != nil)
            #expect(listed.raw("revoked")?.text == "null")
            #expect(known.contains { $0.text("name") == "other" && $0.text("revoked") != nil })
            #expect(!list.output.text.contains(secret.suffix(40)))
        }

        @Test func `tells which migrations are applied`() async throws {
            let status = try await program.run("migrate", "--status")
            #expect(status.status == 0, "\(status.errors)")
            #expect(
                status.lines.contains { $0.hasPrefix("0001_create_log.sql  ") && $0.hasSuffix("Z") }
            )
            let again = try await program.run("migrate")
            #expect(again.lines == ["the schema is up to date"], "\(again.errors)")
        }

        @Test func `goes on with a subscription when the broker comes back`() async throws {
            let topic = freshTopic()
            let directory = TestDirectories.make()
            var broker = try await TestBroker.start(in: directory)
            let port = broker.port
            let run = try SluiceProgram(broker).start(
                "subscribe", topic, "--from", "earliest", "--count", "6", "--timeout", "60s")
            try await TestHTTP(broker).publish(topic, numbers: 1...3)
            try await eventually("the first events") { run.output.lines.count == 3 }
            try await broker.stop()
            broker = try await TestBroker.start(in: directory) {
                $0.listen = [ListenAddress(isTLS: true, host: "127.0.0.1", port: port)]
            }
            try await TestHTTP(broker).publish(topic, numbers: 4...6)
            let outcome = try await run.end()
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(outcome.lines == (1...6).map { "\(topic)  \($0)  \($0)" })
            #expect(outcome.errors.contains("disconnected"), "\(outcome.errors)")
            try await broker.stop()
        }

        @Test func `ends with 130 when it is interrupted`() async throws {
            let run = try program.start("subscribe", freshTopic())
            try await eventually("the subscription") { run.errors.contains("live") }
            run.interrupt()
            #expect(try await run.end().status == 130)
        }
    }
}
