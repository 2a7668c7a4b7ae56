internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import NIOHTTP1
internal import Transport

extension Response {
    /// An answer on its way through Hummingbird's middleware.
    init(_ answer: HTTPAnswer) {
        var fields = HTTPFields()
        for (name, value) in answer.headers {
            guard let name = HTTPField.Name(name) else { continue }
            fields.append(HTTPField(name: name, value: value))
        }
        self.init(
            status: .init(
                code: Int(answer.status.code), reasonPhrase: answer.status.reasonPhrase),
            headers: fields, body: answer.body.map { ResponseBody(byteBuffer: $0) } ?? .init())
    }

    /// The answer as the transport takes it, which adds the length itself.
    func answer() async throws -> HTTPAnswer {
        var fields = HTTPHeaders()
        for field in headers where field.name != .contentLength {
            fields.add(name: field.name.rawName, value: field.value)
        }
        let collector = BodyCollector()
        try await body.write(collector)
        return HTTPAnswer(
            status: HTTPResponseStatus(statusCode: status.code), headers: fields,
            body: collector.buffer.readableBytes > 0 ? collector.buffer : nil)
    }
}

/// Collects a response's body; every answer of this endpoint is small and whole.
private final class BodyCollector: ResponseBodyWriter {
    private(set) var buffer = ByteBuffer()

    func write(_ part: ByteBuffer) async throws { buffer.writeImmutableBuffer(part) }

    func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
