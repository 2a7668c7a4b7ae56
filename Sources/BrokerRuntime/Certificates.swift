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
        let ownsRecords = configuration.ownsTLSRecords
        let pairs = zip(configuration.certificateFiles, configuration.keyFiles)
        if let (chain, key) = pairs.first(where: { _ in true }) {
            let others = try pairs.dropFirst().map { chain, key in
                try TLSContext(
                    .server(certificateChain: chain, privateKey: key), ownsRecords: ownsRecords)
            }
            let first = try TLSContext(
                .server(certificateChain: chain, privateKey: key), ownsRecords: ownsRecords,
                others: others)
            (context, authority) = (first, nil)
            files = configuration.certificateFiles + configuration.keyFiles
            for (file, context) in zip(configuration.certificateFiles, [first] + others) {
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
        context = try TLSContext(
            .server(certificateChain: local.certificate, privateKey: local.privateKey),
            ownsRecords: ownsRecords)
        authority = local.authority
        files = [local.certificate, local.privateKey]
    }
}
