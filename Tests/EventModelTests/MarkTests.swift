import EventModel
import Testing

@Suite("A mark to resume from") struct MarkTests {
    private static let newYear = Timestamp(microseconds: 1_767_225_600_000_000)
    private let mark = LogMark(incarnation: "memory0001", bound: newYear)

    private func resumed(_ start: String, after: Duration = .zero) throws -> String {
        let now = Self.newYear.advanced(by: after)
        return StartPosition.mark(
            ResumeMark(of: try StartPosition(start), now: now, mark: mark)
        ).text
    }

    @Test(arguments: [
        ("latest", "latest"), ("earliest", "earliest"), ("last:10", "last-10"),
        ("offset:17", "latest"), ("after:k3f9-41", "latest"),
        ("time:2100-01-01T00:00:00Z", "latest"), ("ago:1s", "latest"),
    ]) func `says what the start said, a minute before the log's mark`(
        start: String, word: String
    ) throws {
        let bound = String(1_767_225_540_000_000, radix: 36)
        #expect(try resumed(start) == "mark:\(word).memory0001.\(bound)")
    }

    @Test func `of a time in the past holds that time`() throws {
        let bound = String(1_767_222_000_000_000, radix: 36)
        #expect(try resumed("time:2025-12-31T23:00:00Z") == "mark:latest.memory0001.\(bound)")
        #expect(try resumed("ago:1h") == "mark:latest.memory0001.\(bound)")
        #expect(try resumed("ago:2h", after: .seconds(3600)) == "mark:latest.memory0001.\(bound)")
        #expect(try resumed("ago:1000000000d") == "mark:latest.memory0001.0")
    }

    @Test func `stays what it is until all before it was delivered, which nobody says`() throws {
        let first = "mark:last-3.other00001.1"
        #expect(try resumed(first) == first)
    }

    @Test(
        arguments: [
            // (word, first new, earliest, cursor)
            ("latest", 21, 11, 20), ("latest", 11, 11, 10), ("earliest", 21, 11, 10),
            ("earliest", 11, 11, 10), ("last-3", 21, 11, 17), ("last-30", 21, 11, 10),
            ("last-9007199254740991", 21, 11, 10), ("latest", 1, 1, 0), ("last-3", 1, 1, 0),
        ] as [(String, Offset, Offset, Offset)])
    func `begins where its word says as of the mark`(
        word: String, first: Offset, earliest: Offset, cursor: Offset
    ) throws {
        guard case .mark(let mark) = try StartPosition("mark:\(word).memory0001.1") else {
            Issue.record("no mark")
            return
        }
        #expect(mark.cursor(first: first, earliest: earliest) == cursor)
    }

    @Test(arguments: ["latest", "earliest", "last-3"])
    func `leaves what is new and gone to a gap`(word: String) throws {
        guard case .mark(let mark) = try StartPosition("mark:\(word).memory0001.1") else {
            Issue.record("no mark")
            return
        }
        #expect(mark.cursor(first: 1, earliest: 11) == 0)
        #expect(mark.cursor(first: 10, earliest: 11) == 9)
    }
}
