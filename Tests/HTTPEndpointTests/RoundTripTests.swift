import EventModel
import Logging
import MemoryLog
import Publishing
import Testing

@testable import HTTPEndpoint

@Suite("Events in a log in memory") struct RoundTripTests {
    @Test func `are read back as they were published`() async throws {
        let log = MemoryLog()
        let broker = HTTPBroker(
            log: log, publisher: Publisher(log: log, createsTopics: true, sha256: fakeDigest),
            authenticate: nil, upgrades: RefusingUpgrades(), now: { Timestamp(microseconds: 0) },
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let answers = try await talk(
            broker,
            post("1.00") + post("1.00", "Idempotency-Key: k\r\n")
                + post("1.00", "Idempotency-Key: k\r\n") + post("2", "Idempotency-Key: k\r\n")
                + post("2", "If-None-Match: *\r\n")
                + "GET /v1/topics/a/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        let statuses = answers.split(separator: "HTTP/1.1 ").map { $0.prefix(3) }
        #expect(statuses == ["201", "201", "201", "422", "412", "200"])
        #expect(answers.contains(#""first_offset":2,"last_offset":2"#))
        #expect(answers.contains(#""repeated":true"#))
        #expect(answers.split(separator: #""data":1.00}"#).count == 3)
    }
}
