import RepeatableChance
import EventModel
import Foundation
import Testing

@Suite("A timestamp") struct TimestampTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000000Z"), (-1, "1969-12-31T23:59:59.999999Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (1_767_225_599_123_456, "2025-12-31T23:59:59.123456Z"),
            (-62_167_219_200_000_000, "0000-01-01T00:00:00.000000Z"),
            (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
            (-11_676_096_000_000_000, "1600-01-01T00:00:00.000000Z"),
        ] as [(Int64, String)])
    func `is written in UTC with six digits`(microseconds: Int64, text: String) {
        #expect(Timestamp(microseconds: microseconds).description == text)
        #expect(Timestamp(rfc3339: text)?.microseconds == microseconds)
    }

    @Test(arguments: [
        ("2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00.000000Z"),
        ("2025-12-31T19:30:00-04:30", "2026-01-01T00:00:00.000000Z"),
        ("2026-01-01t00:00:00z", "2026-01-01T00:00:00.000000Z"),
        ("2026-01-01 00:00:00Z", "2026-01-01T00:00:00.000000Z"),
        ("2026-01-01T00:00:00.5Z", "2026-01-01T00:00:00.500000Z"),
        ("2026-01-01T00:00:00.123456789Z", "2026-01-01T00:00:00.123456Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000Z"),
        ("2024-02-29T12:00:00-00:00", "2024-02-29T12:00:00.000000Z"),
    ])
    func `is read in every form of RFC 3339`(text: String, written: String) {
        #expect(Timestamp(rfc3339: text)?.description == written)
    }

    @Test(arguments: [
        "", "2026", "2026-01-01", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2026-04-31T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00.1234567890Z", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+0100",
        "2026-01-01T00:00:00Z ", "+2026-01-01T00:00:00Z", "2026-1-1T00:00:00Z",
        "２026-01-01T00:00:00Z",
        "0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
    ])
    func `of another form is refused`(text: String) {
        #expect(Timestamp(rfc3339: text) == nil)
    }

    @Test func `is read as it was written, at random`() {
        var generator = SeededGenerator()
        for _ in 0..<2000 {
            let microseconds = Int64.random(
                in: Timestamp.min.microseconds...Timestamp.max.microseconds, using: &generator)
            let time = Timestamp(microseconds: microseconds)
            #expect(Timestamp(rfc3339: time.description) == time, "seed \(generator.seed)")
        }
    }

    @Test func `agrees with the system's calendar, at random`() {
        var generator = SeededGenerator()
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        for _ in 0..<200 {
            // Since 1583: Foundation's calendar is Julian before.
            let seconds = Int64.random(in: -12_212_553_600...32_503_680_000, using: &generator)
            let parts = calendar.dateComponents(
                [.year, .month, .day, .hour, .minute, .second],
                from: Date(timeIntervalSince1970: Double(seconds)))
            let fields = [
                parts.year, parts.month, parts.day, parts.hour, parts.minute, parts.second,
            ].map { $0 ?? -1 }
            let text = Timestamp(microseconds: seconds * 1_000_000).description
            let numbers = text.dropLast(8).split { !$0.isNumber }.compactMap { Int($0) }
            #expect(numbers == fields, "\(seconds), seed \(generator.seed)")
        }
    }
}
