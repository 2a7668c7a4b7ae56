import OpenSSLBridge

/// A server's context with a certificate of its own directory.
struct TestServerContext {
    let context: TLSContext
    private let directory: TemporaryDirectory

    init(ownsRecords: Bool = false, tickets: Int = 0) throws {
        directory = try TemporaryDirectory()
        let certificates = try LocalCertificates.prepare(
            in: directory.path, hostName: "broker.test", now: presentTime())
        context = try TLSContext(
            .server(
                certificateChain: certificates.certificate, privateKey: certificates.privateKey),
            ownsRecords: ownsRecords, tickets: tickets)
    }

    func peer(_ engine: RecordEngine? = nil) throws -> MemoryPeer {
        try MemoryPeer(context, engine: engine)
    }
}
