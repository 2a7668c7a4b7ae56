internal import EventModel
internal import PostgresBridge

/// The append connection in pipeline mode: one exchange at a time, an implicit transaction that a
/// sync ends.
///
/// Confined to the append thread.
final class AppendConnection {
    let connection: PostgresConnection
    let incarnation: String
    /// An exchange was sent, and its end has not come.
    private(set) var isWaiting = false
    private var current: Result<PostgresResult, PostgresError>?

    /// Connects and prepares the statements.
    ///
    /// `goesOn`: Asked all the while; `false` ends it.
    init(
        _ way: AppendWay, _ context: LogContext, while goesOn: @escaping () -> Bool
    ) throws(PostgresError) {
        (connection, incarnation) = try context.connect(
            role: way.role, settings: ConnectionSettings.append, while: goesOn
        ) { connection throws(PostgresError) in
            try AppendStatement.prepare(way, on: connection)
        }
        try connection.enterPipeline()
    }

    /// Sends a prepared statement as an exchange of its own.
    func send(
        _ name: String, _ parameters: PostgresParameters
    ) throws(PostgresError) {
        precondition(!isWaiting, "bug: an exchange was sent behind another")
        try connection.sendPrepared(name, parameters)
        try connection.sendSync()
        isWaiting = true
    }

    /// What the exchange came to, once its sync was reached; `nil` before.
    func next() throws(PostgresError) -> Result<PostgresResult, PostgresError>? {
        while let item = try connection.nextResult() {
            switch item {
            case .result(let result): current = current ?? .success(result)
            case .failed(let error): current = .failure(error)
            case .aborted: break
            case .synced:
                guard isWaiting, let result = current else {
                    throw PostgresError(
                        kind: .connectionLost, message: "a sync came that was not expected")
                }
                isWaiting = false
                current = nil
                return result
            }
        }
        return nil
    }
}
