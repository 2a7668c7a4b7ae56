import FoundationEssentials
import SluiceClient
import Testing

extension EndToEnd {
    @Suite("The tutorial of the Swift client") struct TutorialTests {
        private static let directory =
            "/"
            + #filePath.split(separator: "/").dropLast()
            .joined(separator: "/")

        private static func read(_ path: String) throws -> String {
            try #require(readFile("\(directory)/\(path)"), "\(path)")
        }

        /// The article's blocks of code, without the indentation of a list.
        private static func blocks() throws -> [String] {
            let article = try read(
                "../../../Sources/SluiceClient/SluiceClient.docc/LiveDashboard.md")
            return article.split(separator: "\n```swift\n").dropFirst().compactMap { rest in
                rest.firstRange(of: "\n```\n").map { String(rest[..<$0.lowerBound]) }
            }
        }

        @Test func `shows the code that is run here, all of it and in its order`() throws {
            let code = try Self.read("Dashboard.swift")
            let shown = try Self.blocks()
            // The first lines of the file say where the code is shown, and import.
            let parts = code.split(separator: "\n\n").dropFirst(2).map { String($0) }
            let article = shown.joined(separator: "\n\n")
                .split(separator: "\n\n").map { String($0) }
            #expect(article == parts.map { $0.hasSuffix("\n") ? String($0.dropLast()) : $0 })
        }

        @Test(.timeLimit(.minutes(2)))
        func `shows what machines report, and keeps each alarm once, over restarts`() async throws {
            let broker = try await TestBroker.start()
            let directory = TestDirectories.make()
            let tokenFile = "\(directory)/token"
            try writeFile(Array((broker.token ?? "").utf8), to: tokenFile)
            let book = "\(directory)/alarms.json"
            let url = "https://127.0.0.1:\(broker.port)"
            let machines = try connect(to: url, tokenFile: tokenFile, caFile: broker.caFile)
            var expected: [Alarm] = []
            for round in 1...2 {
                let client = try connect(to: url, tokenFile: tokenFile, caFile: broker.caFile)
                let board = Board()
                let dashboard = Task {
                    try await runDashboard(with: client, board: board, alarms: book)
                }
                try await eventually("a live board") { await board.isLive }
                for machine in ["press", "lathe"] {
                    let reading = Reading(machine: machine, celsius: Double(20 * round))
                    try await report(reading, through: machines)
                    let alarm = Alarm(machine: machine, text: "round \(round)")
                    try await machines.publish(alarm, to: "alarms.\(machine)")
                    expected.append(alarm)
                }
                _ = try await machines.publish(
                    OutgoingEvent(topic: "readings.broken", data: Array(#""no reading""#.utf8)))
                try await eventually("the readings") {
                    await board.celsius.values.filter { $0 == Double(20 * round) }.count == 2
                }
                try await eventually("an unreadable one") { await board.unreadable >= 1 }
                try await eventually("the alarms") {
                    try AlarmBook(path: book).alarms.count == expected.count
                }
                dashboard.cancel()
                await #expect(throws: CancellationError.self) { try await dashboard.value }
            }
            let kept = try AlarmBook(path: book).alarms
            #expect(kept.filter { $0.machine == "press" }.map(\.text) == ["round 1", "round 2"])
            #expect(kept.filter { $0.machine == "lathe" }.map(\.text) == ["round 1", "round 2"])
            try await broker.stop()
        }
    }
}
