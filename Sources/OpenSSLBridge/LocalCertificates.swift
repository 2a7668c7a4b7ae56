internal import Glibc

/// A local certificate authority and a server certificate in a directory, made when needed.
///
/// For machines without a certificate of their own: clients trust `authority`, for instance
/// `curl --cacert ca.pem`. The authority stays for ten years; the server certificate is issued
/// again when it ends within 30 days or does not name all that it should.
package struct LocalCertificates: Sendable, Equatable {
    /// Paths of PEM files.
    package let authority: String
    package let certificate: String
    package let privateKey: String

    /// Whether the authority was made anew, so that clients have to trust it anew.
    package let isAuthorityNew: Bool

    private static let renewalSeconds = 30 * 86_400

    /// Makes what is missing or outworn in `directory`, which is created if needed.
    ///
    /// Not safe against another process that does the same in the same directory at the same time.
    ///
    /// - Parameters:
    ///   - directory: Its parent must exist.
    ///   - names: DNS names and IP addresses beside localhost, 127.0.0.1, ::1 and `hostName`.
    ///   - hostName: What else clients call this machine.
    ///   - now: Seconds since 1970.
    /// - Returns: Where the files are.
    /// - Throws: `.file`, naming what cannot be written.
    package static func prepare(
        in directory: String, names: [String] = [], hostName: String = machineName(),
        now: Int
    ) throws(TLSError) -> LocalCertificates {
        try makeDirectory(directory)
        let authorityPath = "\(directory)/ca.pem"
        let certificatePath = "\(directory)/server.pem"
        let keyPath = "\(directory)/server.key"
        var wanted: [CertificateName] = []
        for text in ["localhost", "127.0.0.1", "::1", hostName] + names {
            if let name = CertificateName(text), !wanted.contains(name) { wanted.append(name) }
        }
        var issuer = existingIssuer(authorityPath, "\(directory)/ca.key", now)
        let isAuthorityNew = issuer == nil
        if issuer == nil {
            let made = try CertificateIssuer.make(commonName: "Sluice on \(hostName)", now: now)
            try write(made.key, to: "\(directory)/ca.key")
            try write(made.certificate, to: authorityPath)
            issuer = made
        }
        if let issuer, !isServerGood(certificatePath, keyPath, issuer, wanted, now) {
            let issued = try issuer.issueServer(commonName: hostName, names: wanted, now: now)
            try write(issued.key, to: keyPath)
            try write(issued.certificate, to: certificatePath)
        }
        return LocalCertificates(
            authority: authorityPath, certificate: certificatePath, privateKey: keyPath,
            isAuthorityNew: isAuthorityNew)
    }

    /// A key whose certificate was not written any more does not count.
    private static func existingIssuer(
        _ certificate: String, _ key: String, _ now: Int
    ) -> CertificateIssuer? {
        guard let certificate = Certificate.read(certificate), let key = PrivateKey.read(key),
            certificate.belongs(to: key), certificate.isValid(at: now, for: renewalSeconds)
        else { return nil }
        return CertificateIssuer(certificate: certificate, key: key)
    }

    private static func isServerGood(
        _ certificate: String, _ key: String, _ issuer: CertificateIssuer,
        _ names: [CertificateName], _ now: Int
    ) -> Bool {
        guard let certificate = Certificate.read(certificate), let key = PrivateKey.read(key) else {
            return false
        }
        return certificate.belongs(to: key) && certificate.isSigned(by: issuer.certificate)
            && certificate.isValid(at: now, for: renewalSeconds)
            && names.allSatisfy { certificate.names($0) }
    }

    private static func write(_ key: PrivateKey, to path: String) throws(TLSError) {
        guard let bytes = key.pem else { throw .fromQueue(.library, "\(path) cannot be encoded") }
        try AtomicFile.write(bytes, to: path, mode: 0o600)
    }

    private static func write(_ certificate: Certificate, to path: String) throws(TLSError) {
        guard let bytes = certificate.pem else {
            throw .fromQueue(.library, "\(path) cannot be encoded")
        }
        try AtomicFile.write(bytes, to: path, mode: 0o644)
    }

    private static func makeDirectory(_ path: String) throws(TLSError) {
        guard mkdir(path, 0o755) != 0, errno != EEXIST else { return }
        let reason = String(cString: strerror(errno))
        throw TLSError(.file, "The directory \(path) cannot be made: \(reason).")
    }

    /// The machine's host name as the kernel knows it; see gethostname(2).
    package static func machineName() -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "localhost" }
        return buffer.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } }
            ?? "localhost"
    }
}
