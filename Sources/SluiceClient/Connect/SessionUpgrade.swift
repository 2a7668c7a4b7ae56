internal import EventModel
internal import NIOCore
internal import NIOHTTP1
internal import OpenSSLBridge
package import Transport
internal import WebSocketCodec

extension BrokerConnector {
    private static let subprotocol = "sluice.v1"

    /// Makes a wss session of a connection; `begin` is called on its event loop when the broker has
    /// switched protocols.
    ///
    /// With `isBatched` the broker may put several messages in one text.
    ///
    /// - Throws: The broker's refusal, or `unreachable`.
    package func openSession(
        on connection: HTTPClientConnection, isBatched: Bool = false,
        begin: @escaping @Sendable (StreamConnection) -> SessionSocket
    ) async throws(SluiceError) {
        let address = configuration.address
        let request = WebSocketUpgradeRequest(
            nonce: randomBytes(16), subprotocols: [Self.subprotocol])
        // The connection adds Host itself.
        let fields = request.headers(host: address.authority).filter { $0.name != "Host" }
        let head = head(.GET, .connect(isBatched: isBatched), fields.map { ($0.name, $0.value) })
        let outcome: HTTPClientUpgrade
        do {
            outcome = try await connection.upgrade(head) { stream, _ in begin(stream) }.get()
        } catch {
            throw .unreachable(address, Self.words(error))
        }
        switch outcome {
        case .refused(let head, let body):
            throw SluiceError(answer: head, body: Array(buffer: body))
        case .upgraded(let head): try check(head, request)
        }
    }

    private func check(
        _ head: HTTPResponseHead, _ request: WebSocketUpgradeRequest
    ) throws(SluiceError) {
        let chosen: String?
        do {
            chosen = try request.verify(
                status: Int(head.status.code), headers: head.headers.map { ($0.name, $0.value) },
                sha1: { Digest.sha1($0) })
        } catch {
            throw .notSluice(configuration.address, error.message)
        }
        guard chosen == Self.subprotocol else {
            throw .notSluice(configuration.address, "it does not speak \(Self.subprotocol)")
        }
    }
}
