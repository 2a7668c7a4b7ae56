internal import EventModel
internal import Logging
internal import PostgresBridge
internal import Synchronization

/// Keeps the history of one part of the log, and tells the broker's log what changed.
final class PartWatch: Sendable {
    private let name: String
    private let logger: Logger
    private let history: Mutex<PartHistory>

    init(_ name: String, isNeeded: Bool = true, logger: Logger) {
        self.name = name
        self.logger = logger
        history = Mutex(PartHistory(name, isNeeded: isNeeded, now: .now))
    }

    var part: LogPart { history.withLock { $0.part(now: .now) } }

    func wentUp(in incarnation: String) {
        guard let away = history.withLock({ $0.wentUp(now: .now) }) else { return }
        logger.info(
            "a part of the log is up",
            metadata: [
                "part": "\(name)", "incarnation": "\(incarnation)",
                "away_ms": "\(Int(away / .milliseconds(1)))",
            ])
    }

    func lost(_ error: PostgresError) {
        guard let reason = history.withLock({ $0.lost(error, now: .now) }) else {
            logger.debug(
                "a part of the log is still down",
                metadata: ["part": "\(name)", "error": "\(Self.line(error))"])
            return
        }
        logger.warning(
            "a part of the log is down",
            metadata: [
                "part": "\(name)", "reason": "\(reason.text)", "error": "\(Self.line(error))",
                "remedy": "\(reason.remedy)",
            ])
    }

    /// libpq tells of each host on lines of its own.
    private static func line(_ error: PostgresError) -> String {
        "\(error)".split { $0.isNewline || $0 == "\t" }.joined(separator: " ")
    }

    func asked() { history.withLock { $0.asked(now: .now) } }

    func answered() {
        guard let time = history.withLock({ $0.answered(now: .now) }) else { return }
        logger.info(
            "a part of the log is answered again",
            metadata: ["part": "\(name)", "after_ms": "\(Int(time / .milliseconds(1)))"])
    }

    /// Whether an answer has been awaited for too long.
    var isStuck: Bool {
        look()
        return part.state == .stuck
    }

    /// Called while an answer is awaited.
    func look() {
        guard history.withLock({ $0.looked(now: .now) }) else { return }
        logger.warning(
            "a part of the log is not answered",
            metadata: [
                "part": "\(name)", "remedy": "\(LogPart.Reason.unanswered.remedy)",
            ])
    }
}
