internal import EventModel
internal import ManagedPostgres
internal import OpenSSLBridge
internal import Transport
internal import WallClock

/// The server's TLS: the user's certificate, or one of a local authority in the data directory.
struct Certificates {
    /// `nil` when no listener needs it.
    let context: TLSContext?
    /// The PEM file that clients trust; `nil` with a certificate of the user's.
    let authority: String?

    /// - Throws: `TLSError` with the file and what is wrong with it, or what keeps the data
    ///   directory from being made.
    init(_ configuration: BrokerConfiguration) throws {
        guard configuration.listen.contains(where: \.isTLS) else {
            (context, authority) = (nil, nil)
            return
        }
        if let certificate = configuration.certificateFile, let key = configuration.keyFile {
            context = try TLSContext(
                .server(certificateChain: certificate, privateKey: key),
                ownsRecords: configuration.ownsTLSRecords)
            authority = nil
            return
        }
        // Without a managed database, nobody has made it yet.
        try DataDirectory.make(configuration.dataDirectory)
        let local = try LocalCertificates.prepare(
            in: configuration.dataDirectory + "/tls", names: configuration.tlsNames,
            now: Int(Timestamp.now.microseconds / 1_000_000))
        context = try TLSContext(
            .server(certificateChain: local.certificate, privateKey: local.privateKey),
            ownsRecords: configuration.ownsTLSRecords)
        authority = local.authority
    }
}
