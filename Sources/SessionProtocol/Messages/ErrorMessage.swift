package import EventModel

/// A request of the session failed.
package struct ErrorMessage: Hashable, Sendable {
    /// The request's.
    package var id: Int64?
    /// The request's type.
    package var to: String?
    /// An `ErrorCode`, or one that is newer than this program.
    package var code: String
    package var message: String
    package var remedy: String
    /// There if and only if trying again can help.
    package var retryAfter: Duration?
    package var at: InputPlace?
    /// The topic's head, with `head_moved`.
    package var cursor: Cursor?

    package init(_ error: BrokerError, id: Int64? = nil, to: String? = nil) {
        self.init(
            id: id, to: to, code: error.code.rawValue, message: error.message, remedy: error.remedy,
            retryAfter: error.retryAfter, at: error.at, cursor: error.head)
    }

    init(
        id: Int64?, to: String?, code: String, message: String, remedy: String,
        retryAfter: Duration?, at: InputPlace?, cursor: Cursor?
    ) {
        self.id = id
        self.to = to
        self.code = code
        self.message = message
        self.remedy = remedy
        self.retryAfter = retryAfter
        self.at = at
        self.cursor = cursor
    }

    /// The error as a value to throw; a code that this program does not know becomes `internal`.
    package var brokerError: BrokerError {
        var error = BrokerError(
            ErrorCode(rawValue: code) ?? .internal, message, remedy: remedy, at: at)
        error.retryAfter = retryAfter
        error.head = cursor
        return error
    }

    func encode(to json: inout JSONWriter) {
        json.raw(#"{"type":"error""#)
        json.member("id", id)
        json.member("to", to)
        json.member("code", code)
        json.member("message", message)
        json.member("remedy", remedy)
        json.member("retry_after_ms", milliseconds: retryAfter)
        json.member("cursor", cursor?.description)
        guard let at else { return }
        // The place's members all begin with a comma, so the first of them is written by hand.
        var place = JSONWriter()
        place.member("byte", at.byte.map { Int64($0) })
        place.member("line", at.line.map { Int64($0) })
        place.member("field", at.field)
        guard !place.bytes.isEmpty else { return }
        json.raw(#","at":{"#)
        json.raw(Array(place.bytes.dropFirst()))
        json.raw("}")
    }
}
