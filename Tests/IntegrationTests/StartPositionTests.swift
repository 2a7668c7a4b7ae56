import BrokerRuntime
import EventModel
import NIOHTTP1
import PostgresBridge
import PostgresCluster
import SessionProtocol
import SluiceClient
import Testing

extension EndToEnd {
    /// Published at one node, read at the other.
    @Suite("A start means the same on every interface", .timeLimit(.minutes(3)))
    struct StartPositionTests {
        private let here: TestBroker
        private let there: TestBroker
        private let user: PostgresConnection
        private let http: TestHTTP
        private let base = "t\(String(UInt64.random(in: 0 ... .max), radix: 36))"

        private struct Pair: Sendable {
            let here: TestBroker
            let there: TestBroker
            let database: String
        }

        private static let pair = Task {
            let database = try PostgresCluster.shared.freshDatabase()
            async let one = TestBroker.start {
                $0.databaseURL = database
                $0.node = "one"
            }
            let other = try await TestBroker.start {
                $0.databaseURL = database
                $0.node = "other"
            }
            return Pair(here: try await one, there: other, database: database)
        }

        init() async throws {
            let pair = try await Self.pair.value
            here = pair.here
            there = pair.there
            user = try PostgresConnection(PostgresConfiguration(conninfo: pair.database))
            http = TestHTTP(here, token: there.token)
        }

        // MARK: What is read

        /// A start, and what comes of the past; by pattern something else, if it is said.
        private struct Row {
            let start: String
            let told: [String]
            var byPattern: [String]?

            init(_ start: String, _ told: [String], byPattern: [String]? = nil) {
                self.start = start
                self.told = told
                self.byPattern = byPattern
            }
        }

        /// Commands are processes, and say what the client says: a start of each kind suffices.
        private func isTried(_ row: Row, _ way: ReadingWay, among rows: [Row]) -> Bool {
            func word(_ row: Row) -> Substring { row.start.prefix { $0 != ":" } }
            if way.takesCursorsOnly { return word(row) == "after" }
            guard way == .command || way == .commandPattern else { return true }
            return rows.first { word($0) == word(row) }?.start == row.start
        }

        /// So many begin at a time.
        private static let beginningMax = 8

        /// Begins on every way with every start, and compares what came of the past; then has
        /// something published, which has to come everywhere.
        private func expect(
            _ rows: [Row], of topic: String, except: [ReadingWay] = [], then: [String],
            pages: [String]? = nil, publish: () async throws -> Void
        ) async throws {
            struct Reading: Sendable {
                let reader: any StartReader
                let title: String
                let told: [String]
                let next: [String]
            }
            let readings = try await withThrowingTaskGroup(of: Reading?.self) { group in
                var readings: [Reading] = []
                var open = 0
                for way in ReadingWay.allCases where !except.contains(way) {
                    for row in rows where isTried(row, way, among: rows) {
                        // A cursor is one topic's own, also under a pattern.
                        let told =
                            way.isPattern && !way.takesCursorsOnly
                            ? row.byPattern ?? row.told : row.told
                        if open == Self.beginningMax, let reading = try await group.next() {
                            open -= 1
                            if let reading { readings.append(reading) }
                        }
                        open += 1
                        group.addTask { [there] in
                            let reader = try await way.reader(
                                of: topic, from: row.start, at: there)
                            let title = "\(way) from \(row.start)"
                            let begun = try await reader.begin()
                            let isRefused = told.first?.contains(" ") == false
                            if isRefused, way == .command || way == .commandPattern {
                                #expect(begun == ["refused"], "\(title)")
                            } else {
                                #expect(begun == told, "\(title)")
                            }
                            let next = way == .pages ? pages ?? then : then
                            return isRefused
                                ? nil
                                : Reading(reader: reader, title: title, told: told, next: next)
                        }
                    }
                }
                for try await reading in group { if let reading { readings.append(reading) } }
                return readings
            }
            try await publish()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for reading in readings {
                    group.addTask {
                        let next = try await reading.reader.next(reading.next.count)
                        #expect(next == reading.next, "\(reading.title)")
                    }
                }
                try await group.waitForAll()
            }
        }

        private func events(_ topic: String, _ offsets: ClosedRange<Int>) -> [String] {
            offsets.map { "\(topic) \($0)" }
        }

        /// What the broker says today of a subscription that will resume one day.
        private func mark(of topic: String, from start: String) async throws -> String {
            let socket = try await TestSocket.open(there, token: there.token)
            socket.send(#"{"type":"subscribe","id":1,"topic":"\#(topic)","from":"\#(start)"}"#)
            while true {
                guard case .subscribed(let message) = try await socket.message() else { continue }
                return try #require(message.resumeFrom)
            }
        }

        private func epoch(of topic: String) async throws -> String {
            let answer = try await http.get("/v1/topics/\(topic)/events?from=latest")
            let cursor = try #require(try answer.fields().text("cursor"))
            return String(cursor.prefix { $0 != "-" })
        }

        // MARK: Topics with a log

        @Test func `in a topic with a log`() async throws {
            let topic = "\(base).a"
            try await http.publish(topic, numbers: 1...4)
            // A mark is a minute early.
            try user.script(
                """
                UPDATE sluice.events SET ts = ts - interval '1 hour';
                UPDATE sluice.topics SET created_at = created_at - interval '1 hour';
                """)
            var marks: [String: String] = [:]
            for start in ["latest", "earliest", "last:1"] {
                marks[start] = try await mark(of: topic, from: start)
            }
            try await http.publish(topic, numbers: 5...5)
            try await http.publish(topic, numbers: 6...8)
            let sixth = try await http.get("/v1/topics/\(topic)/events/6").fields()
            let time = try #require(sixth.text("time"))
            let purged = try await http.send(.DELETE, "/v1/topics/\(topic)/events?before=3")
            #expect(purged.status == 200, "\(purged.body.text)")
            let epoch = try await epoch(of: topic)
            let other = "zzzzzzzzzz" + epoch.dropFirst(10)
            let (all, gap) = (events("a", 3...8), "gap a 1-2 purged")
            let refused = ["invalid_start"]
            let rows = [
                Row("latest", []), Row("earliest", all), Row("last:2", events("a", 7...8)),
                Row("last:100", all),
                Row("offset:6", events("a", 6...8), byPattern: refused),
                Row("offset:1", [gap] + all, byPattern: refused),
                Row("offset:9", [], byPattern: refused),
                Row("offset:10", refused), Row("yesterday", refused), Row("mark:x", refused),
                Row("after:\(epoch)-5", events("a", 6...8), byPattern: refused),
                Row("after:\(epoch)-8", [], byPattern: refused),
                Row("after:\(epoch)-0", [gap] + all, byPattern: refused),
                Row("after:\(epoch)-20", ["reset a 8 restored"], byPattern: refused),
                Row(
                    "after:\(other)-5", ["reset a 0 restored", gap] + all, byPattern: refused),
                Row("time:\(time)", events("a", 6...8)), Row("time:2020-01-01T00:00:00Z", all),
                Row("time:2100-01-01T00:00:00Z", []),
                Row("ago:30m", events("a", 5...8)), Row("ago:2h", all),
                Row(try #require(marks["latest"]), events("a", 5...8)),
                Row(try #require(marks["last:1"]), events("a", 4...8)),
                Row(try #require(marks["earliest"]), all),
            ]
            try await expect(rows, of: topic, then: ["a 9"]) {
                try await http.publish(topic, numbers: 9...9)
            }
        }

        @Test func `in a topic that is not there yet, and comes at another node`() async throws {
            let missing = ["topic_not_found"]
            let rows = ["latest", "earliest", "last:2", "ago:1h", "offset:1"].map {
                Row($0, [], byPattern: $0 == "offset:1" ? ["invalid_start"] : nil)
            }
            // There is no page of it.
            let page = PagesReader(there, "\(base).n", from: "latest")
            #expect(try await page.begin() == missing)
            try await expect(rows, of: "\(base).n", except: [.pages], then: ["n 1", "n 2"]) {
                try await http.publish("\(base).n", numbers: 1...1)
                try await http.publish("\(base).n", numbers: 2...2)
            }
            let ways: [ReadingWay] = [.session, .stream, .lines, .client, .command]
            for way in ways {
                let reader = try await way.reader(
                    of: "\(base).none", from: "offset:2", at: there)
                let told = try await reader.begin()
                #expect(told == [way == .command ? "refused" : "invalid_start"], "\(way)")
            }
        }

        @Test func `in a topic that is gone, and comes again at another node`() async throws {
            let topic = "\(base).d"
            try await http.publish(topic, numbers: 1...3)
            let start = "after:\(try await epoch(of: topic))-2"
            let deleted = try await http.send(.DELETE, "/v1/topics/\(topic)")
            #expect((200..<300).contains(deleted.status), "\(deleted.body.text)")
            let page = PagesReader(there, topic, from: start)
            #expect(try await page.begin() == ["topic_not_found"])
            let row = Row(start, ["reset d null deleted"], byPattern: ["invalid_start"])
            try await expect(
                [row], of: topic, except: [.pages], then: ["reset d 0 recreated", "d 1"]
            ) {
                try await http.publish(topic, numbers: 1...1)
            }
            let again = Row(start, ["reset d 0 recreated", "d 1"], byPattern: ["invalid_start"])
            try await expect([again], of: topic, then: ["d 2"]) {
                try await http.publish(topic, numbers: 2...2)
            }
        }

        // MARK: Topics without one

        @Test func `in an ephemeral topic`() async throws {
            let topic = "\(base).e"
            let created = try await http.send(
                .PUT, "/v1/topics/\(topic)", ["content-type": "application/json"],
                Array(#"{"durable":false}"#.utf8))
            #expect(created.status == 201)
            // The other node hears of it, and of its events, when this has passed.
            let probe = SocketReader(
                there, says: [#"{"type":"subscribe","id":1,"topic":"\#(base).*"}"#])
            #expect(try await probe.begin() == [])
            for number in 1...3 { try await http.publish(topic, numbers: number...number) }
            let heard = try await probe.next(1)
            #expect(
                ["gap e 1-3 ephemeral", "gap e 1-2 ephemeral", "gap e 1-1 ephemeral", "e 1"]
                    .contains(heard[0]))
            var last = heard
            while !["e 3", "gap e 1-3 ephemeral"].contains(last[0]) {
                last = try await probe.next(1)
            }
            let epoch = try await epoch(of: topic)
            let mark = try await mark(of: topic, from: "latest")
            let refused = ["ephemeral_topic"]
            let misfit = ["invalid_start"]
            let rows = [
                Row("latest", []), Row("earliest", refused, byPattern: []),
                Row("last:1", refused, byPattern: []),
                Row("offset:4", refused, byPattern: misfit),
                Row("time:2020-01-01T00:00:00Z", refused, byPattern: []),
                Row("ago:1h", refused, byPattern: []), Row(mark, []),
                Row("after:\(epoch)-1", ["gap e 2-3 ephemeral"], byPattern: misfit),
                Row("after:\(epoch)-3", [], byPattern: misfit),
                Row("after:\(epoch)-9", ["reset e 3 restored"], byPattern: misfit),
            ]
            try await expect(
                rows, of: topic, then: ["e 4"], pages: ["gap e 4-4 ephemeral"]
            ) {
                try await http.publish(topic, numbers: 4...4)
            }
        }

        // MARK: Many topics

        @Test func `behind what another process printed, in all topics of a pattern`() async throws
        {
            let topics = ["x", "y", "z"].map { "\(base).\($0)" }
            for topic in topics.prefix(2) { try await http.publish(topic, numbers: 1...2) }
            let program = SluiceProgram(there)
            let printed = program.home + "/printed.ndjson"
            try writeFile([], to: printed)
            let resumed = ["subscribe", "\(base).>", "--json", "--resume", printed]
            let first = try await program.run(
                resumed + ["--from", "earliest", "--count", "3", "--timeout", "60s"])
            #expect(first.status == 0, "\(first.errors)")
            // It was killed while it printed.
            let broken = #"{"type":"event","topic":"\#(topics[1])","off"#
            try writeFile(first.output + Array(broken.utf8) + [0x0A], to: printed)
            try await http.publish(topics[2], numbers: 1...1)
            try await http.publish(topics[0], numbers: 3...3)
            let second = try await program.run(resumed + ["--count", "3", "--timeout", "60s"])
            #expect(second.status == 0, "\(second.errors)")
            let seen = try (first.output.lines + second.output.lines).compactMap {
                if case .event(let event) = try BrokerMessage.decode($0) {
                    "\(event.topic) \(event.event.offset)"
                } else {
                    nil
                }
            }
            #expect(Set(seen).count == 6 && seen.count == 6, "\(seen)")
            let none = program.home + "/none.ndjson"
            try writeFile("hello\n".utf8, to: none)
            let refused = try await program.run(
                ["subscribe", "\(base).>", "--resume", none])
            #expect(refused.status == 1 && refused.errors.contains("none is a broker's message"))
        }
    }
}
