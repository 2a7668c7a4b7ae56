internal import EventModel
internal import NIOCore
package import NIOHTTP1
package import Transport

extension HTTPAnswer {
    /// An answer with a JSON text.
    package static func json(
        _ status: HTTPResponseStatus, _ body: [UInt8], headers: HTTPHeaders = [:]
    ) -> HTTPAnswer {
        var all: HTTPHeaders = ["content-type": "application/json"]
        all.add(contentsOf: headers)
        return HTTPAnswer(status: status, headers: all, body: ByteBuffer(bytes: body))
    }

    func adding(_ fields: HTTPHeaders) -> HTTPAnswer {
        guard !fields.isEmpty else { return self }
        var answer = self
        answer.headers.add(contentsOf: fields)
        return answer
    }
}

extension HTTPStream {
    /// An upgrade's answer has its own fields alone.
    func adding(_ fields: HTTPHeaders) -> HTTPStream {
        guard !fields.isEmpty, status != .switchingProtocols else { return self }
        var headers = headers
        headers.add(contentsOf: fields)
        return HTTPStream(status: status, headers: headers, open: open)
    }
}

extension JSONWriter {
    mutating func boolean(_ value: Bool) {
        if value { raw("true") } else { raw("false") }
    }
}
