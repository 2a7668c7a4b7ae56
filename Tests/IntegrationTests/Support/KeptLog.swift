import Logging
import Synchronization

/// Keeps every line that a logger is given, with all its values, as one text.
final class KeptLog: Sendable {
    private let lines = Mutex<[String]>([])

    var text: String { lines.withLock { $0.joined(separator: "\n") } }

    /// A logger of the lowest level.
    func logger() -> Logger {
        var logger = Logger(label: "kept") { _ in Handler(kept: self) }
        logger.logLevel = .trace
        return logger
    }

    private struct Handler: LogHandler {
        let kept: KeptLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let values = metadata.merging(event.metadata ?? [:]) { $1 }
            let line = "\(event.level) \(event.message) \(values) \(event.error as Any)"
            kept.lines.withLock { $0.append(line) }
        }
    }
}
