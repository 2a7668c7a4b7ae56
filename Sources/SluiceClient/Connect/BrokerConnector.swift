internal import Glibc
package import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import OpenSSLBridge
package import Transport

/// Opens connections to the broker and knows what every request to it carries.
package final class BrokerConnector: Sendable {
    package let configuration: ClientConfiguration
    /// What requests show.
    let tokens: TokenKeeper
    private let tls: TLSContext?

    /// - Throws: When the token is none, or the file of authorities can't be used.
    package init(_ configuration: ClientConfiguration) throws(SluiceError) {
        self.configuration = configuration
        tokens = try TokenKeeper(configuration)
        guard configuration.address.isTLS else {
            tls = nil
            return
        }
        let trust = TLSTrust(
            authorities: configuration.caFile, isInsecure: configuration.isInsecure)
        do {
            tls = try TLSContext(.client(trust))
        } catch {
            throw SluiceError(
                .failed, code: "tls", "The authorities can't be used: \(error).",
                remedy:
                    "Check the file that --ca-file, SLUICE_CA_FILE or the connection file names.")
        }
    }

    /// A new connection, its handshake complete.
    package func connect(
        on group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
    ) async throws(SluiceError) -> HTTPClientConnection {
        let address = configuration.address
        do {
            return try await ClientConnector.connect(
                host: address.host, port: address.port, tls: tls,
                group: group,
                timeout: min(TimeAmount(configuration.timeout), .seconds(10))
            ).get()
        } catch let error as TLSError where error.code == .verification {
            throw SluiceError(
                .unreachable, code: "untrusted_certificate",
                "The certificate of \(address) is not trusted: \(Self.words(error)).",
                remedy: "Name the authority that signed it with --ca-file or SLUICE_CA_FILE.")
        } catch {
            throw .unreachable(address, Self.words(error))
        }
    }

    /// A request's line and headers, with a token of `tokens`; Host is the connection's own.
    func head(
        _ method: HTTPMethod, _ target: RequestTarget, _ headers: [(String, String)] = [],
        token: String?
    ) -> HTTPRequestHead {
        var fields = HTTPHeaders(headers)
        fields.add(name: "User-Agent", value: "sluice-client")
        if let token {
            fields.add(name: "Authorization", value: "Bearer \(token)")
        }
        return HTTPRequestHead(version: .http1_1, method: method, uri: target.text, headers: fields)
    }

    /// What a person needs of an error of the network.
    static func words(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            let reasons = error.connectionErrors.map { words($0.error) }
            let all = (error.dnsAError ?? error.dnsAAAAError).map { _ in ["the name is not known"] }
            return (reasons.isEmpty ? all ?? ["no address"] : reasons)
                .reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
                .joined(separator: ", ")
        case let error as IOError:
            return String(cString: strerror(error.errnoCode)).lowercased()
        case is ChannelError: return "the connection was closed or timed out"
        default:
            let text = "\(error)"
            return text.hasSuffix(".") ? String(text.dropLast()) : text
        }
    }
}
