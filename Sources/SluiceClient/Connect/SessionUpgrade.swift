internal import EventModel
package import NIOCore
internal import NIOHTTP1
internal import OpenSSLBridge
package import Transport
package import WebSocketCodec

extension BrokerConnector {
    private static let subprotocol = "sluice.v1"

    /// Opens a connection on one of the group's loops and makes a wss session of it; `begin` is
    /// called there when the broker has switched protocols.
    ///
    /// Where the source of tokens has another one, a refusal with 401 is tried again once. With
    /// `isBatched` the broker may put several messages in one text.
    ///
    /// - Returns: The token that was shown.
    /// - Throws: The broker's refusal, or `unreachable`.
    @discardableResult
    package func openSession(
        on group: any EventLoopGroup, isBatched: Bool = false,
        begin: @escaping @Sendable (StreamConnection, MessageCompression?) -> SessionSocket
    ) async throws(SluiceError) -> String? {
        let token = try await tokens.token()
        do throws(SluiceError) {
            try await upgrade(
                try await connect(on: group), token: token, isBatched: isBatched, begin: begin)
            return token
        } catch {
            guard error.code == ErrorCode.unauthorized.rawValue, tokens.isRenewable else {
                throw error
            }
            await tokens.refuse(token)
            let next = try await tokens.token()
            guard next != token else { throw error }
            try await upgrade(
                try await connect(on: group), token: next, isBatched: isBatched, begin: begin)
            return next
        }
    }

    private func upgrade(
        _ connection: HTTPClientConnection, token: String?, isBatched: Bool,
        begin: @escaping @Sendable (StreamConnection, MessageCompression?) -> SessionSocket
    ) async throws(SluiceError) {
        let address = configuration.address
        let request = WebSocketUpgradeRequest(
            nonce: randomBytes(16), subprotocols: [Self.subprotocol],
            deflate: configuration.isCompressed
                ? DeflateParameters(serverNoContextTakeover: true, clientNoContextTakeover: true)
                : nil)
        // The connection adds Host itself.
        let fields = request.headers(host: address.authority).filter { $0.name != "Host" }
        let head = head(
            .GET, .connect(isBatched: isBatched), fields.map { ($0.name, $0.value) }, token: token)
        let outcome: HTTPClientUpgrade
        do {
            outcome = try await connection.upgrade(head) { stream, head in
                // An answer that is none to the offer is found below, as `verify` looks at it, too.
                let headers = head.headers.map { (name: $0.name, value: $0.value) }
                let terms = (try? request.deflateTerms(headers: headers)) ?? nil
                return begin(stream, terms.map { MessageCompression($0, role: .client) })
            }.get()
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
