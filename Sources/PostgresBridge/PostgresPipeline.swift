internal import CLibPQ

/// What comes out of a pipeline, in the order in which it was sent.
package enum PostgresPipelineItem: Sendable {
    case result(PostgresResult)
    /// Refused; everything up to the next sync will be `aborted`.
    case failed(PostgresError)
    /// Not run, because something before it failed.
    case aborted
    /// A sync was reached: what stands before it is committed or rolled back, unless a transaction
    /// was opened explicitly.
    case synced
}

extension PostgresConnection {
    /// Turns to pipeline mode for good (manual 34.5): send without waiting, read what comes.
    package func enterPipeline() throws(PostgresError) {
        let handle = try open()
        guard PQenterPipelineMode(handle) == 1 else { throw failure(handle) }
    }

    /// Queues a statement.
    ///
    /// It goes out with the next sync or `wait`, or when 64 KiB are waiting.
    package func sendQuery(
        _ sql: String, _ parameters: [PostgresParameter]
    ) throws(PostgresError) {
        try sendQuery(sql, PostgresParameters(parameters))
    }

    private func sendQuery(
        _ sql: String, _ parameters: PostgresParameters
    ) throws(PostgresError) {
        let handle = try openInPipeline()
        try sendSettings(handle)
        guard send(sql, parameters, handle) == 1 else { throw failure(handle) }
        noteSent(isSettings: false)
    }

    /// Behind a pooler, before the first statement of a transaction.
    private func sendSettings(_ handle: OpaquePointer) throws(PostgresError) {
        guard let settings = pooled?.settings, pooled?.isAtStart == true else { return }
        let parameters = PostgresParameters(settings.parameters)
        guard send(settings.sql, parameters, handle) == 1 else { throw failure(handle) }
        noteSent(isSettings: true)
    }

    private func noteSent(isSettings: Bool) {
        outstanding += 1
        pooled?.isAtStart = false
        pooled?.sent.append(isSettings)
    }

    /// Queues a prepared statement, like `sendQuery`.
    package func sendPrepared(
        _ name: String, _ parameters: [PostgresParameter]
    ) throws(PostgresError) {
        try sendPrepared(name, PostgresParameters(parameters))
    }

    /// As the other; the parameters may be filled anew at once.
    package func sendPrepared(
        _ name: String, _ parameters: PostgresParameters
    ) throws(PostgresError) {
        if let pooled { return try sendQuery(pooled.text(of: name), parameters) }
        let handle = try openInPipeline()
        let sent = BoundParameters.with(parameters) { bound in
            PQsendQueryPrepared(
                handle, name, bound.count, bound.values, bound.lengths, bound.formats, 1)
        }
        guard sent == 1 else { throw failure(handle) }
        noteSent(isSettings: false)
    }

    /// Ends an implicit transaction and sends as much as the socket takes; `wait` sends the rest.
    package func sendSync() throws(PostgresError) {
        let handle = try openInPipeline()
        guard PQpipelineSync(handle) == 1 else { throw failure(handle) }
        noteSent(isSettings: false)
        pooled?.isAtStart = true
    }

    /// The next item, or nil when nothing more has arrived.
    ///
    /// Ask until nil before waiting.
    ///
    /// - Returns: Items in the order in which they were sent.
    /// - Throws: `connectionLost`, after everything that had arrived before the loss.
    package func nextResult() throws(PostgresError) -> PostgresPipelineItem? {
        let handle = try openInPipeline()
        while outstanding > 0 {
            if PQisBusy(handle) == 1 {
                let isSound = consumeInput(handle)
                if PQisBusy(handle) == 1 {
                    guard isSound else { throw failure(handle) }
                    return nil
                }
            }
            guard let result = PQgetResult(handle) else {
                // The end of one command's results. (PQgetResult also gives NULL when idle, but
                // then nothing would be outstanding.)
                noteEnd()
                continue
            }
            if pooled?.sent.first == true, PQresultStatus(result) == PGRES_TUPLES_OK {
                PQclear(result)
                continue
            }
            return try item(result, handle)
        }
        // Nothing is due, but the server may have hung up.
        guard consumeInput(handle) else { throw failure(handle) }
        return nil
    }

    private func noteEnd() {
        outstanding -= 1
        if pooled?.sent.isEmpty == false { pooled?.sent.removeFirst() }
    }

    private func item(
        _ result: OpaquePointer, _ handle: OpaquePointer
    ) throws(PostgresError) -> PostgresPipelineItem {
        switch PQresultStatus(result) {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY:
            return .result(PostgresResult(owning: result))
        case PGRES_PIPELINE_SYNC:
            PQclear(result)
            noteEnd()
            return .synced
        case PGRES_PIPELINE_ABORTED:
            PQclear(result)
            return .aborted
        default:
            defer { PQclear(result) }
            let error = PostgresError(result: result)
            if error.kind == .connectionLost || PQstatus(handle) != CONNECTION_OK {
                var lost = error
                lost.kind = .connectionLost
                throw lost
            }
            return .failed(error)
        }
    }

    private func openInPipeline() throws(PostgresError) -> OpaquePointer {
        let handle = try open()
        precondition(PQpipelineStatus(handle) != PQ_PIPELINE_OFF, "bug: not in pipeline mode")
        return handle
    }
}
