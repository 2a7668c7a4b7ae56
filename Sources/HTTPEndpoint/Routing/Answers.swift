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
}

extension JSONWriter {
    mutating func boolean(_ value: Bool) {
        if value { raw("true") } else { raw("false") }
    }
}
