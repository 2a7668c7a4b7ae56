internal import EventModel
internal import ManagedPostgres
internal import OpenSSLBridge
internal import Transport
internal import WallClock

/// The server's TLS: the user's certificates, or one of a local authority in the data directory.
struct Certificates {
    /// `nil` when no listener needs it.
    let context: TLSContext?
    /// The PEM file that clients trust; `nil` with a certificate of the user's.
    let authority: String?
    /// What may change, and is to be taken then.
    let files: [String]
    /// What somebody should do something about before clients notice.
    private(set) var findings: [String] = []

    /// An authority renews by hand, or by something that may have failed.
    private static let warningSeconds = 14 * 86_400

    /// - Throws: `TLSError` with the file and what is wrong with it, or what keeps the data
    ///   directory from being made.
    init(_ configuration: BrokerConfiguration) throws {
        guard configuration.listen.contains(where: \.isTLS) else {
            (context, authority, files) = (nil, nil, [])
            return
        }
        func load(_ chain: String, _ key: String, others: [TLSContext] = []) throws -> TLSContext {
            try TLSContext(
                .server(certificateChain: chain, privateKey: key),
                ownsRecords: configuration.ownsTLSRecords, others: others)
        }
        let (chains, keys) = (configuration.certificateFiles, configuration.keyFiles)
        if let chain = chains.first, let key = keys.first {
            let others = try zip(chains, keys).dropFirst().map { try load($0, $1) }
            let first = try load(chain, key, others: others)
            (context, authority, files) = (first, nil, chains + keys)
            for (file, context) in zip(chains, [first] + others) {
                if let finding = context.chainFinding {
                    findings.append("\(file): \(finding)")
                }
                if context.secondsLeft < Self.warningSeconds {
                    findings.append("\(file) ends in \(context.secondsLeft / 86_400) days")
                }
            }
            return
        }
        // Without a managed database, nobody has made it yet.
        try DataDirectory.make(configuration.dataDirectory)
        let local = try LocalCertificates.prepare(
            in: configuration.dataDirectory + "/tls", names: configuration.tlsNames,
            now: Int(Timestamp.now.microseconds / 1_000_000))
        context = try load(local.certificate, local.privateKey)
        authority = local.authority
        files = [local.certificate, local.privateKey]
    }
}
