internal import CLibPQ

/// What PostgreSQL or libpq refused, and what that means for the connection.
///
/// Never contains a password or parameters. What the server says may quote values of a row, in
/// `detail` above all; `description`, which goes to logs and to clients, has none of them.
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
    /// Without what it quoted of a value that the server could not read (class 22).
    package var message: String
    /// May quote a payload: for code that decides, never for a log.
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
        return "\(message)\(state)\(hint.map { ". \($0)" } ?? "")"
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
        let message =
            Self.field(SLUICE_DIAG_MESSAGE, of: result)
            ?? Self.trimmed(PQresultErrorMessage(result))
        self.init(
            kind: ends ? .connectionLost : .query,
            sqlState: state,
            message: state?.hasPrefix("22") == true ? Self.withoutValues(message) : message,
            detail: Self.field(SLUICE_DIAG_DETAIL, of: result),
            hint: Self.field(SLUICE_DIAG_HINT, of: result))
    }

    /// The messages of class 22 have values in quotation marks, as `value "…" is out of range`, or
    /// behind a colon.
    static func withoutValues(_ message: String) -> String {
        var rest = message
        if let first = message.firstIndex(of: "\""), let last = message.lastIndex(of: "\"") {
            rest.replaceSubrange(first...last, with: "\"…\"")
        }
        return String(rest.prefix { $0 != ":" })
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
