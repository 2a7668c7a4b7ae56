internal import CLibPQ

/// What PostgreSQL or libpq refused, and what that means for the connection.
///
/// Never contains a password or parameters; `detail` may quote values of a row.
package struct PostgresError: Error, Sendable, Equatable {
    package enum Kind: Sendable {
        /// No connection came into being. Retry later.
        case connectionFailed
        /// The connection is gone; what was in flight may or may not have been committed.
        case connectionLost
        /// The server refused a statement (`sqlState` says why); the connection is still usable.
        case query
        /// The deadline passed. The statement is being cancelled and the connection was closed,
        /// so its outcome is as unknown as after `connectionLost`.
        case timedOut
    }

    package var kind: Kind
    /// Five characters, appendix A of the PostgreSQL manual; nil when libpq itself failed.
    package var sqlState: String?
    package var message: String
    package var detail: String?
    package var hint: String?

    package init(
        kind: Kind, sqlState: String? = nil, message: String, detail: String? = nil,
        hint: String? = nil
    ) {
        self.kind = kind
        self.sqlState = sqlState
        self.message = message
        self.detail = detail
        self.hint = hint
    }
}

extension PostgresError: CustomStringConvertible {
    package var description: String {
        let state = sqlState.map { " (\($0))" } ?? ""
        let rest = [detail, hint].compactMap { $0 }.joined(separator: " ")
        return rest.isEmpty ? "\(message)\(state)" : "\(message)\(state). \(rest)"
    }
}

extension PostgresError {
    /// Reads the error out of a failed result.
    ///
    /// FATAL and PANIC end the connection (57P01 "terminating connection" is one), and an error
    /// without an SQLSTATE is libpq's own: the socket broke.
    init(result: OpaquePointer) {
        let severity = Self.field(SLUICE_DIAG_SEVERITY, of: result)
        let state = Self.field(SLUICE_DIAG_SQLSTATE, of: result)
        let ends = state == nil || severity == "FATAL" || severity == "PANIC"
        self.init(
            kind: ends ? .connectionLost : .query,
            sqlState: state,
            message: Self.field(SLUICE_DIAG_MESSAGE, of: result)
                ?? Self.trimmed(PQresultErrorMessage(result)),
            detail: Self.field(SLUICE_DIAG_DETAIL, of: result),
            hint: Self.field(SLUICE_DIAG_HINT, of: result))
    }

    static func field(_ code: Int, of result: OpaquePointer) -> String? {
        // Safe: the text belongs to `result`, which the caller keeps; it is copied here.
        PQresultErrorField(result, Int32(code)).map { String(cString: $0) }
    }

    /// Copies libpq's message, which ends with a line feed.
    // Safe: a C string owned by libpq until its next call; it is copied here.
    static func trimmed(_ text: UnsafePointer<CChar>?) -> String {
        guard let text else { return "unknown error" }
        var message = String(cString: text)
        while let last = message.last, last.isWhitespace { message.removeLast() }
        return message.isEmpty ? "unknown error" : message
    }
}
