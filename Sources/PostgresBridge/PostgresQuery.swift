internal import CLibPQ

extension PostgresConnection {
    /// Runs one statement and waits for its rows.
    ///
    /// - Parameters:
    ///   - sql: One statement; `$1` is the first parameter.
    ///   - parameters: At most 65535.
    ///   - timeout: After it the statement is cancelled and the connection closed, as also when
    ///     the connection's owner ends the wait.
    /// - Returns: Its rows; none for a command.
    /// - Throws: `query` when the server refuses it, `connectionLost`, `timedOut`.
    package func query(
        _ sql: String, _ parameters: [PostgresParameter] = [], timeout: Duration? = nil
    ) throws(PostgresError) -> PostgresResult {
        let handle = try openOutsidePipeline()
        if let settings = pooled?.settings, isTransactionIdle {
            return try query(sql, parameters, behind: settings, handle, timeout)
        }
        return try collect(handle, send(sql, PostgresParameters(parameters), handle), timeout)
    }

    func send(
        _ sql: String, _ parameters: PostgresParameters, _ handle: OpaquePointer
    ) -> Int32 {
        BoundParameters.with(parameters) { bound in
            PQsendQueryParams(
                handle, sql, bound.count, bound.types, bound.values, bound.lengths, bound.formats, 1
            )
        }
    }

    /// Behind a pooler: the settings and the statement are one transaction, which the statement
    /// keeps open if it is BEGIN.
    private func query(
        _ sql: String, _ parameters: [PostgresParameter], behind settings: SettingsStatement,
        _ handle: OpaquePointer, _ timeout: Duration?
    ) throws(PostgresError) -> PostgresResult {
        guard PQenterPipelineMode(handle) == 1,
            send(settings.sql, PostgresParameters(settings.parameters), handle) == 1,
            send(sql, PostgresParameters(parameters), handle) == 1, PQpipelineSync(handle) == 1
        else { throw failure(handle) }
        defer { if !isClosed { PQexitPipelineMode(handle) } }
        return try collect(handle, 1, timeout)
    }

    /// Prepares a statement under a name that is unique on this connection.
    ///
    /// Behind a pooler it is only noted, and sent with each `execute`.
    ///
    /// The server infers the types of the parameters, so write casts where it could choose another
    /// than the one that `execute` will send: `$1::bigint`.
    package func prepare(_ name: String, _ sql: String) throws(PostgresError) {
        let handle = try openOutsidePipeline()
        if pooled != nil {
            pooled?.statements[name] = sql
        } else {
            _ = try collect(handle, PQsendPrepare(handle, name, sql, 0, nil), nil)
        }
    }

    /// Runs a prepared statement and waits for its rows, like `query`.
    package func execute(
        _ name: String, _ parameters: [PostgresParameter], timeout: Duration? = nil
    ) throws(PostgresError) -> PostgresResult {
        if let pooled { return try query(pooled.text(of: name), parameters, timeout: timeout) }
        let handle = try openOutsidePipeline()
        let sent = BoundParameters.with(PostgresParameters(parameters)) { bound in
            PQsendQueryPrepared(
                handle, name, bound.count, bound.values, bound.lengths, bound.formats, 1)
        }
        return try collect(handle, sent, timeout)
    }

    /// Runs several statements without parameters, in one transaction unless they say otherwise;
    /// behind a pooler without the settings, unless a transaction is open.
    package func script(_ sql: String) throws(PostgresError) {
        let handle = try openOutsidePipeline()
        _ = try collect(handle, PQsendQuery(handle, sql), nil)
    }

    private func openOutsidePipeline() throws(PostgresError) -> OpaquePointer {
        let handle = try open()
        precondition(
            PQpipelineStatus(handle) == PQ_PIPELINE_OFF, "bug: a blocking query in pipeline mode")
        return handle
    }

    /// Waits for all results of a command, or of a pipeline up to its sync, and gives the last one,
    /// or the first error.
    private func collect(
        _ handle: OpaquePointer, _ sent: Int32, _ timeout: Duration?
    ) throws(PostgresError) -> PostgresResult {
        guard sent == 1 else { throw failure(handle) }
        let patience = patience.limited(to: timeout)
        outstanding = 1
        defer { outstanding = 0 }
        var last: PostgresResult?
        var refusal: PostgresError?
        while true {
            try awaitResult(handle, patience)
            guard let result = PQgetResult(handle) else {
                // In a pipeline, the end of one command.
                if PQpipelineStatus(handle) == PQ_PIPELINE_OFF || PQstatus(handle) != CONNECTION_OK
                {
                    break
                }
                continue
            }
            let status = PQresultStatus(result)
            if status == PGRES_PIPELINE_SYNC {
                PQclear(result)
                break
            }
            switch status {
            case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY:
                last = PostgresResult(owning: result)
            case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
                PQclear(result)
                close()
                throw PostgresError(kind: .connectionLost, message: "COPY is not supported here")
            default:
                // What a pipeline aborts behind it comes later.
                refusal = refusal ?? PostgresError(result: result)
                PQclear(result)
            }
        }
        if var refusal {
            if PQstatus(handle) != CONNECTION_OK { refusal.kind = .connectionLost }
            throw refusal
        }
        guard let last else { throw failure(handle) }
        return last
    }

    /// Waits until PQgetResult would not block.
    private func awaitResult(
        _ handle: OpaquePointer, _ patience: Patience
    ) throws(PostgresError) {
        while PQisBusy(handle) == 1 {
            switch try wait(nil, until: patience.nextLook) {
            case .socket:
                // A broken connection makes PQgetResult return the reason, and not block.
                guard consumeInput(handle) else { return }
            case .woken:
                break
            case .timedOut:
                guard let reason = patience.exhausted() else { break }
                abandon()
                throw PostgresError(kind: .timedOut, message: reason)
            }
        }
    }
}

/// Parameters as libpq takes them: parallel arrays.
struct BoundParameters {
    let count: Int32
    let types: [Oid]
    // Safe: valid during `with` only, and libpq copies the values into its send buffer.
    let values: [UnsafePointer<CChar>?]
    let lengths: [Int32]
    let formats: [Int32]

    static func with<Value>(
        _ parameters: PostgresParameters, _ body: (BoundParameters) -> Value
    ) -> Value {
        parameters.withValues { values in
            body(
                BoundParameters(
                    count: Int32(parameters.count), types: parameters.types, values: values,
                    lengths: parameters.lengths, formats: parameters.formats))
        }
    }
}
