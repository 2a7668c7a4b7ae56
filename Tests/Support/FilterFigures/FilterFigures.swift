import EventModel
import Filtering
import Foundation
import PostgresBridge
import PostgresCluster

/// Measures what a filter costs an event, here, in jq and in PostgreSQL (doc:Figures).
@main struct FilterFigures {
    private static let count = 10_000

    private struct Question {
        let filter: String
        /// The same for jq, which compares numbers as floats.
        let jq: String
    }

    private static let questions = [
        Question(
            filter: #"$.price > 100 && $.symbol == "ACME""#,
            jq: #".price > 100 and .symbol == "ACME""#),
        Question(filter: #"$.tags[*] == "urgent""#, jq: #"any(.tags[]; . == "urgent")"#),
        Question(
            filter: #"$.order.lines[*].sku like_regex "^AB-\\d{4}$""#,
            jq: #"any(.order.lines[].sku; test("^AB-\\d{4}$"))"#),
        Question(
            filter: #"exists($.order.customer.address.zip)"#,
            jq: ".order.customer.address.zip != null"),
    ]

    static func main() throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("sluice-filter-figures-\(getpid())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let connection = try PostgresConnection(
            PostgresConfiguration(conninfo: try PostgresCluster.shared.freshDatabase()))
        print("ns of an event; the least of five runs of \(count) events")
        for bytes in [128, 1024, 16_384] {
            let texts = (0..<count).map { event($0, bytes: bytes) }
            let file = folder.appendingPathComponent("\(bytes).ndjson")
            try Data((texts.joined(separator: "\n") + "\n").utf8).write(to: file)
            try connection.script(
                "DROP TABLE IF EXISTS events; CREATE TABLE events(data jsonb, text text)")
            for text in texts {
                _ = try connection.query("INSERT INTO events(text) VALUES ($1)", [.text(text)])
            }
            try connection.script("UPDATE events SET data = text::jsonb")
            _ = try connection.query("VACUUM FULL events")
            for question in questions {
                let own = try ownCost(question.filter, texts)
                let jq = try jqCost(question.jq, file)
                let stored = try postgresCost(question.filter, "data", connection)
                let parsed = try postgresCost(question.filter, "text::jsonb", connection)
                print(
                    "\(bytes) B: \(question.filter)",
                    "sluice \(own), jq \(jq), jsonb \(stored), text \(parsed)", separator: "\n    ")
            }
        }
        PostgresCluster.shared.stop()
    }

    /// A JSON text of about so many bytes; every tenth fits each question.
    private static func event(_ number: Int, bytes: Int) -> String {
        let fits = number % 10 == 0
        let head =
            #"{"symbol":"\#(fits ? "ACME" : "OTHER")","price":\#(fits ? 101 : 99).\#(number % 100)"#
        let tail =
            #","tags":["new","\#(fits ? "urgent" : "late")"],"#
            + #""order":{"lines":[{"sku":"\#(fits ? "AB-1234" : "AB-12")"}]}}"#
        var filler = ""
        var line = 0
        while head.utf8.count + filler.utf8.count + tail.utf8.count < bytes - 40 {
            filler += #","field\#(line)":{"text":"what a filter skips","n":[\#(number),1.5]}"#
            line += 1
        }
        return head + filler + tail
    }

    private static func least(_ run: () throws -> Double) rethrows -> Int {
        let times = try (0..<5).map { _ in try run() }
        return Int((times.min() ?? 0) / Double(count) * 1e9)
    }

    private static func ownCost(_ text: String, _ texts: [String]) throws -> Int {
        let filter = try EventFilter(text, bytesMax: 4096)
        let topic = try TopicName("figures")
        let events = texts.map { text in
            Event(
                offset: 1, time: Timestamp(microseconds: 0),
                content: NewEvent(data: Array(text.utf8)))
        }
        return least {
            let begin = cpu()
            let fitting = events.count(where: { filter.matches($0, of: topic) })
            precondition(fitting <= count)
            return cpu() - begin
        }
    }

    /// Seconds that this process has worked.
    private static func cpu() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// CPU of jq with the file, less that with nothing.
    private static func jqCost(_ text: String, _ file: URL) throws -> Int {
        func cpu(_ path: String) throws -> Double {
            var before = rusage()
            getrusage(RUSAGE_CHILDREN.rawValue, &before)
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/jq")
            process.arguments = ["-c", "select(\(text)) | 1", path]
            process.standardOutput = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
            var after = rusage()
            getrusage(RUSAGE_CHILDREN.rawValue, &after)
            return seconds(after.ru_utime) + seconds(after.ru_stime) - seconds(before.ru_utime)
                - seconds(before.ru_stime)
        }
        let empty = try (0..<5).map { _ in try cpu("/dev/null") }.min() ?? 0
        return try least { try cpu(file.path) - empty }
    }

    private static func seconds(_ time: timeval) -> Double {
        Double(time.tv_sec) + Double(time.tv_usec) / 1e6
    }

    /// Time of a scan of the table with the filter, less that of one without.
    private static func postgresCost(
        _ filter: String, _ column: String, _ connection: PostgresConnection
    ) throws -> Int {
        func time(_ condition: String) throws -> Double {
            let begin = ContinuousClock.now
            _ = try connection.query("SELECT count(*) FROM events WHERE \(condition)")
            return (ContinuousClock.now - begin) / .seconds(1)
        }
        let path = filter.replacing("'", with: "''")
        let empty = try (0..<5).map { _ in try time("text IS NOT NULL") }.min() ?? 0
        return try least {
            try time("jsonb_path_match(\(column), '\(path)', silent => true)") - empty
        }
    }
}
