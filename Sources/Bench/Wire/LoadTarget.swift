internal import Glibc
internal import NIOCore
internal import OpenSSLBridge
internal import SluiceClient

/// Where a load goes, and what each of its connections shows.
struct LoadTarget: Sendable {
    let host: String
    let port: Int
    /// As the Host header says it.
    let authority: String
    let tls: TLSContext?
    /// A line of a request, or nothing.
    let authorization: String
    let name: String

    /// - Throws: When the file of authorities can't be used.
    init(_ configuration: ClientConfiguration) throws(SluiceError) {
        let address = configuration.address
        host = address.host
        port = address.port
        authority = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        name = "\(address)"
        authorization = configuration.token.map { "Authorization: Bearer \($0)\r\n" } ?? ""
        guard address.isTLS else {
            tls = nil
            return
        }
        do {
            tls = try TLSContext(
                .client(
                    TLSTrust(
                        authorities: configuration.caFile, isInsecure: configuration.isInsecure)))
        } catch {
            throw SluiceError(
                .failed, code: "tls", "The authorities can't be used: \(error).",
                remedy: "Check the file that --ca-file or --against-ca-file names.")
        }
    }

    /// The address itself, where `host` is one or `localhost`; names are looked up for each
    /// connection.
    var socketAddress: SocketAddress? {
        try? SocketAddress(ipAddress: host == "localhost" ? "127.0.0.1" : host, port: port)
    }

    /// Whether the broker is reached by 127/8, where each address of it is a source of its own.
    var isLoopback: Bool { host == "localhost" || host.hasPrefix("127.") }
}
