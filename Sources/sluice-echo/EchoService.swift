internal import EventModel
internal import NIOCore
internal import NIOHTTP1
internal import OpenSSLBridge
internal import Transport
internal import WebSocketCodec

/// Makes an echo of every WebSocket, on any path; everything else is told what this is.
final class EchoService: HTTPService {
    /// The largest of the public conformance suites.
    private static let messageBytesMax = 16 << 20

    func admit(_ head: HTTPRequestHead, from connection: ConnectionInfo) -> HTTPAdmission {
        .collect(bodyBytesMax: 0, mayStream: head.method == .GET)
    }

    func respond(to exchange: HTTPExchange) {
        let head = exchange.head
        let accepted: WebSocketUpgrade.Accepted
        do throws(WebSocketUpgrade.Refused) {
            accepted = try WebSocketUpgrade.check(
                method: head.method.rawValue, version: (head.version.major, head.version.minor),
                headers: head.headers.map { (name: $0.name, value: $0.value) }, subprotocols: [],
                deflate: DeflatePolicy(serverWindowBits: 8...15), sha1: Digest.sha1)
        } catch {
            return exchange.answer(
                Self.answer(
                    HTTPResponseStatus(statusCode: error.error.code.httpStatus),
                    error.error.message,
                    HTTPHeaders(error.headers.map { ($0.name, $0.value) })))
        }
        let headers = HTTPHeaders(accepted.headers.map { ($0.name, $0.value) })
        exchange.stream(
            HTTPStream(status: .switchingProtocols, headers: headers) { stream in
                // Even short messages are deflated: it is what the suites are to see.
                let compression = accepted.deflate.map {
                    MessageCompression($0, role: .server, bytesMin: 0)
                }
                return EchoConnection(
                    stream,
                    .server(
                        messageBytesMax: Self.messageBytesMax, keepalive: Keepalive(now: .now),
                        closeTimeout: .seconds(5), compression: compression))
            })
    }

    func refuse(_ fault: HTTPFault, head: HTTPRequestHead?) -> HTTPAnswer {
        Self.answer(fault.status, fault.message, [:])
    }

    private static func answer(
        _ status: HTTPResponseStatus, _ text: String, _ headers: HTTPHeaders
    ) -> HTTPAnswer {
        var headers = headers
        headers.add(name: "Content-Type", value: "text/plain; charset=utf-8")
        return HTTPAnswer(status: status, headers: headers, body: ByteBuffer(string: "\(text)\n"))
    }
}
