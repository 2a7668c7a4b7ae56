import OpenSSLBridge

/// A server's context with a certificate of its own directory.
struct TestServerContext {
    let context: TLSContext
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
        let certificates = try LocalCertificates.prepare(
            in: directory.path, hostName: "broker.test", now: presentTime())
        context = try TLSContext(
            .server(
                certificateChain: certificates.certificate, privateKey: certificates.privateKey))
    }

    func peer() throws -> MemoryPeer { try MemoryPeer(context) }
}
