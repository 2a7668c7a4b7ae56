internal import DequeModule
internal import EventModel
internal import PostgresBridge

/// The append connection in pipeline mode: each exchange is one implicit transaction, ended by a
/// sync.
///
/// Confined to the append thread.
final class AppendConnection {
    enum Purpose {
        case append
        case announce
        case question
    }

    /// What an exchange came to, once its sync was reached.
    struct Outcome {
        var purpose: Purpose
        var result: Result<PostgresResult, PostgresError>
    }

    let connection: PostgresConnection
    let incarnation: String
    private var expected: Deque<Purpose> = []
    private var current: Result<PostgresResult, PostgresError>?

    init(_ context: LogContext) throws(PostgresError) {
        let milliseconds = LogContext.lockTimeout / .milliseconds(1)
        (connection, incarnation) = try context.connect(
            role: "append",
            settings: [
                ("lock_timeout", "\(Int(milliseconds))"),
                // An append is never cancelled: a cancelled wait for a synchronous standby commits.
                ("statement_timeout", "0"),
                ("plan_cache_mode", "force_generic_plan"),
            ])
        try AppendStatement.prepare(on: connection)
        try connection.enterPipeline()
    }

    func isAwaiting(_ purpose: Purpose) -> Bool { expected.contains(purpose) }

    var isIdle: Bool { expected.isEmpty }

    func sendPrepared(
        _ name: String, _ parameters: [[PostgresParameter]], as purpose: Purpose
    ) throws(PostgresError) {
        for list in parameters { try connection.sendPrepared(name, list) }
        try sync(purpose)
    }

    func send(
        _ sql: String, _ parameters: [PostgresParameter], as purpose: Purpose
    ) throws(PostgresError) {
        try connection.sendQuery(sql, parameters)
        try sync(purpose)
    }

    private func sync(_ purpose: Purpose) throws(PostgresError) {
        try connection.sendSync()
        expected.append(purpose)
    }

    /// The next exchange that has ended; `nil` if none has yet.
    func next() throws(PostgresError) -> Outcome? {
        while let item = try connection.nextResult() {
            switch item {
            case .result(let result): current = current ?? .success(result)
            case .failed(let error): current = .failure(error)
            case .aborted: break
            case .synced:
                guard let purpose = expected.popFirst(), let result = current else {
                    throw PostgresError(
                        kind: .connectionLost, message: "a sync came that was not expected")
                }
                current = nil
                return Outcome(purpose: purpose, result: result)
            }
        }
        return nil
    }
}
