import OpenSSLBridge

/// A server's context with a certificate of its own directory.
struct TestServerContext {
    let context: TLSContext
    /// Path of the certificate that signed it.
    let authority: String
    private let directory: TemporaryDirectory

    init(
        hostName: String = "broker.test", ownsRecords: Bool = false, tickets: Int = 0,
        others: [TLSContext] = []
    ) throws {
        directory = try TemporaryDirectory()
        let certificates = try LocalCertificates.prepare(
            in: directory.path, hostName: hostName, now: presentTime())
        authority = certificates.authority
        context = try TLSContext(
            .server(
                certificateChain: certificates.certificate, privateKey: certificates.privateKey),
            ownsRecords: ownsRecords, tickets: tickets, others: others)
    }

    func peer(_ engine: RecordEngine? = nil) throws -> MemoryPeer {
        try MemoryPeer(context, engine: engine)
    }
}
