package import EventModel
internal import NIOCore
package import NIOHTTP1
package import Transport

/// An error as HTTP tells it: `application/problem+json`, RFC 9457, with the members of doc:HTTP.
package struct ProblemDocument: Sendable {
    /// What went wrong.
    package var error: BrokerError
    /// Names this request in the broker's log.
    package var requestID: String
    /// The status, where it is not the code's own.
    package var status: HTTPResponseStatus
    /// Headers of the answer beside those that the error itself asks for.
    package var headers: HTTPHeaders
    /// Whether the connection ends behind the answer.
    package var closes: Bool
    /// Members beside those of every problem: `,"name":` and a JSON text.
    package var members: [(StaticString, [UInt8])]

    package init(
        _ error: BrokerError, requestID: String, status: HTTPResponseStatus? = nil,
        headers: HTTPHeaders = [:], closes: Bool = false,
        members: [(StaticString, [UInt8])] = []
    ) {
        self.error = error
        self.requestID = requestID
        self.status = status ?? HTTPResponseStatus(statusCode: error.code.httpStatus)
        self.headers = headers
        self.closes = closes
        self.members = members
    }

    /// The whole answer.
    package var answer: HTTPAnswer {
        var all: HTTPHeaders = ["content-type": "application/problem+json"]
        if let retryAfter = error.retryAfter {
            all.add(name: "retry-after", value: String(Self.seconds(retryAfter)))
        }
        if let head = error.head { all.add(name: "etag", value: "\"\(head)\"") }
        if error.code == .unauthorized, !headers.contains(name: "www-authenticate") {
            all.add(name: "www-authenticate", value: #"Bearer realm="sluice""#)
        }
        all.add(contentsOf: headers)
        return HTTPAnswer(
            status: status, headers: all, body: ByteBuffer(bytes: body), closes: closes)
    }

    /// RFC 9110 10.2.3 wants whole seconds; 0 would invite to hammer.
    private static func seconds(_ duration: Duration) -> Int64 {
        let parts = duration.components
        return max(1, parts.seconds + (parts.attoseconds > 0 ? 1 : 0))
    }

    /// The document's bytes.
    package var body: [UInt8] {
        var json = JSONWriter(capacity: 384)
        json.raw(#"{"type":"#)
        json.string("/v1/errors/\(error.code.rawValue)")
        json.raw(#","title":"#)
        json.string(error.code.title)
        json.raw(#","status":"#)
        json.integer(status.code)
        json.raw(#","detail":"#)
        json.string(error.message)
        json.raw(#","code":"#)
        json.string(error.code.rawValue)
        json.raw(#","remedy":"#)
        json.string(error.remedy)
        json.raw(#","request_id":"#)
        json.string(requestID)
        if let place = error.at { Self.write(place, to: &json) }
        if let committed = error.committed {
            json.raw(#","committed":"#)
            json.string(committed.rawValue)
        }
        if let head = error.head {
            json.raw(#","cursor":"#)
            json.string(head.description)
        }
        for (name, value) in members {
            json.raw(name)
            json.raw(value)
        }
        json.raw("}")
        return json.bytes
    }

    private static func write(_ place: InputPlace, to json: inout JSONWriter) {
        json.raw(#","at":{"#)
        var isFirst = true
        func name(_ text: StaticString) {
            if !isFirst { json.raw(",") }
            isFirst = false
            json.raw(text)
        }
        if let line = place.line {
            name(#""line":"#)
            json.integer(line)
        }
        if let byte = place.byte {
            name(#""byte":"#)
            json.integer(byte)
        }
        if let field = place.field {
            name(#""field":"#)
            json.string(field)
        }
        json.raw("}")
    }
}
