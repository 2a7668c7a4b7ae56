import DurableLog
import EventModel
import PostgresBridge
import Testing

@Suite("The history of a part of the log") struct PartHistoryTests {
    private static let unreachable = PostgresError(
        kind: .connectionFailed, message: "connection to server failed: Connection refused")
    private static let readOnly = PostgresError(
        kind: .connectionFailed,
        message: "connection refused\nconnection failed: session is read-only")

    private let start = ContinuousClock.now
    private var history: PartHistory

    init() { history = PartHistory("append", isNeeded: true, now: start) }

    private func after(_ seconds: Int) -> ContinuousClock.Instant { start + .seconds(seconds) }

    @Test func `begins without a connection`() {
        #expect(
            history.part(now: after(3))
                == LogPart(
                    name: "append", state: .connecting, time: .seconds(3), reason: .starting))
    }

    @Test mutating func `tells each change once, however often it is tried`() {
        let reasons = [
            history.lost(Self.unreachable, now: after(1)),
            history.lost(Self.unreachable, now: after(2)),
            history.lost(Self.readOnly, now: after(3)),
            history.lost(Self.readOnly, now: after(4)),
        ]
        #expect(reasons == [.unreachable, nil, .noWritableServer, nil])
        let times = [history.wentUp(now: after(5)), history.wentUp(now: after(6))]
        #expect(times == [.seconds(5), nil])
        let again = history.lost(Self.unreachable, now: after(7))
        #expect(again == .unreachable)
    }

    @Test mutating func `counts from the loss of the connection, whatever the reason becomes`() {
        _ = history.wentUp(now: after(1))
        _ = history.lost(Self.unreachable, now: after(10))
        _ = history.lost(Self.readOnly, now: after(12))
        let part = history.part(now: after(15))
        #expect(part.time == .seconds(5))
        #expect(part.reason == .noWritableServer)
        #expect(part.error == "connection refused connection failed: session is read-only")
        let away = history.wentUp(now: after(20))
        #expect(away == .seconds(10))
        #expect(
            history.part(now: after(21))
                == LogPart(name: "append", state: .up, time: .seconds(1)))
    }

    @Test mutating func `is stuck when a question goes without an answer, until one comes`() {
        _ = history.wentUp(now: start)
        history.asked(now: after(5))
        history.asked(now: after(8))
        let news = [14, 15, 16].map { history.looked(now: after($0)) }
        #expect(news == [false, true, false])
        let part = history.part(now: after(17))
        #expect(part.state == .stuck && part.reason == .unanswered && part.time == .seconds(12))
        let unanswered = history.answered(now: after(18))
        #expect(unanswered == .seconds(13))
        #expect(history.part(now: after(18)).state == .up)
    }

    @Test mutating func `is not stuck while nothing is asked`() {
        _ = history.wentUp(now: start)
        history.asked(now: after(1))
        let unanswered = history.answered(now: after(2))
        let isNews = history.looked(now: after(1000))
        #expect(unanswered == nil && !isNews)
    }

    private static let errors: [(String?, String, LogPart.Reason)] = [
        ("SL002", "this server does not know", .stalePrimary),
        ("SL003", "this server is a standby", .noWritableServer),
        ("57P03", "the database system is starting up", .serverStarting),
        ("3F000", "schema \"sluice\" does not exist", .refused),
        (nil, "FATAL:  the database system is in recovery mode", .serverStarting),
        (nil, "FATAL:  password authentication failed for user \"x\"", .refused),
        (nil, "Connection refused", .unreachable),
    ]

    @Test(arguments: errors) func `finds the reason in what was said`(
        sqlState: String?, message: String, reason: LogPart.Reason
    ) {
        let kind: PostgresError.Kind = sqlState == nil ? .connectionFailed : .query
        let error = PostgresError(kind: kind, sqlState: sqlState, message: message)
        #expect(LogPart.Reason(error) == reason)
    }

    @Test func `tells strangers no names`() {
        let error = PostgresError(
            kind: .connectionFailed,
            message: """
                connection to server at "db1.internal" (10.0.0.5), port 5432 failed: FATAL: \
                password authentication failed for user "sluice"
                """)
        #expect(
            error.publicText == """
                connection to server at "…", port 5432 failed: FATAL: \
                password authentication failed for user "…"
                """)
    }
}
