/// What went wrong, where, and what to do about it.
///
/// Edges map it: an HTTP problem document (RFC 9457), an `error` message, a line on a terminal.
package struct BrokerError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The stable code.
    package var code: ErrorCode
    /// What happened, with the facts; never a secret or a payload.
    package var message: String
    /// What to do.
    package var remedy: String
    /// Where in the input.
    package var at: InputPlace?
    /// When the same request may succeed; `nil` if trying again cannot help.
    package var retryAfter: Duration?
    /// Whether the events of a publish are in the log; `nil` when the question does not arise.
    package var committed: Commitment?
    /// The topic's head, with `head_moved`.
    package var head: Cursor?

    /// The remedy is the catalogue's unless another is given; `retryAfter` is one second if the
    /// code is worth another try.
    package init(
        _ code: ErrorCode, _ message: String, remedy: String? = nil, at: InputPlace? = nil,
        retryAfter: Duration? = nil
    ) {
        self.code = code
        self.message = message
        self.remedy = remedy ?? code.remedy
        self.at = at
        self.retryAfter = retryAfter ?? (code.isRetryable ? .seconds(1) : nil)
    }

    /// The error as a publisher is told it: unless something is known about its events, they are
    /// not in the log.
    ///
    /// Whoever knows better said so where it happened; every other refusal is before the append.
    package var ofPublish: BrokerError {
        var error = self
        error.committed = committed ?? .no
        return error
    }

    package var description: String { "\(code.rawValue): \(message) \(remedy)" }
}

/// A position in the input: a byte, counted from 0, and in NDJSON the line, counted from 1.
package struct InputPlace: Hashable, Sendable {
    package var byte: Int?
    package var line: Int?
    package var field: String?

    package init(byte: Int? = nil, line: Int? = nil, field: String? = nil) {
        self.byte = byte
        self.line = line
        self.field = field
    }
}

/// Whether a publish that failed is in the log (doc:HTTP).
package enum Commitment: String, Sendable {
    case no
    case unknown
}
