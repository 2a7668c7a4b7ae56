internal import EventModel
internal import NIOCore
internal import NIOHTTP1
internal import Transport

/// `GET /v1/errors` and `GET /v1/errors/{code}`: what a problem's `type` points to.
enum ErrorCatalogue {
    /// All codes.
    static func list() -> HTTPAnswer {
        var json = JSONWriter(capacity: 16 << 10)
        json.raw(#"{"errors":["#)
        for (index, code) in ErrorCode.allCases.enumerated() {
            if index > 0 { json.raw(",") }
            write(code, to: &json)
        }
        json.raw("]}")
        return .json(.ok, json.bytes)
    }

    /// One code.
    ///
    /// - Throws: `not_found`.
    static func entry(_ name: String) throws(BrokerError) -> HTTPAnswer {
        guard let code = ErrorCode(rawValue: name) else {
            throw BrokerError(
                .notFound, "There is no error code \(quoted(name)).",
                remedy: "GET /v1/errors lists the codes.")
        }
        var json = JSONWriter(capacity: 512)
        write(code, to: &json)
        return .json(.ok, json.bytes)
    }

    private static func write(_ code: ErrorCode, to json: inout JSONWriter) {
        json.raw(#"{"code":"#)
        json.string(code.rawValue)
        json.raw(#","type":"#)
        json.string("/v1/errors/\(code.rawValue)")
        json.raw(#","status":"#)
        json.integer(code.httpStatus)
        json.raw(#","title":"#)
        json.string(code.title)
        json.raw(#","remedy":"#)
        json.string(code.remedy)
        json.raw(#","retryable":"#)
        json.boolean(code.isRetryable)
        json.raw("}")
    }
}
