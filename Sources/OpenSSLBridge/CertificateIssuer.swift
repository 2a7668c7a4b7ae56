internal import COpenSSL
internal import Glibc

/// What a certificate says its holder is called.
enum CertificateName: Hashable {
    case dns(String)
    case address(String)

    /// Nil for text that is neither a DNS name nor an IP address.
    init?(_ text: String) {
        var bytes = in6_addr()
        if inet_pton(AF_INET, text, &bytes) == 1 || inet_pton(AF_INET6, text, &bytes) == 1 {
            self = .address(text)
            return
        }
        // The names are joined into one line for OpenSSL, so nothing else may be in them.
        let isName = text.utf8.allSatisfy { byte in
            (byte >= 97 && byte <= 122) || (byte >= 65 && byte <= 90) || (byte >= 48 && byte <= 57)
                || byte == 45 || byte == 46 || byte == 95
        }
        guard isName, !text.isEmpty, text.utf8.count <= 253, text.utf8.first != 45 else {
            return nil
        }
        self = .dns(text)
    }

    var extensionText: String {
        switch self {
        case .dns(let text): "DNS:\(text)"
        case .address(let text): "IP:\(text)"
        }
    }
}

/// Makes and signs the certificates of a local authority (RFC 5280).
struct CertificateIssuer {
    let certificate: Certificate
    let key: PrivateKey

    private static let day = 86_400

    /// Makes a new authority that is valid for ten years from `now` (seconds since 1970).
    static func make(commonName: String, now: Int) throws(TLSError) -> CertificateIssuer {
        let key = try PrivateKey.make()
        let extensions: [(Int32, String)] = [
            (NID_basic_constraints, "critical,CA:TRUE,pathlen:0"),
            (NID_key_usage, "critical,keyCertSign,cRLSign"),
            (NID_subject_key_identifier, "hash"),
        ]
        let certificate = try sign(
            commonName: commonName, key: key, by: nil, days: 3650, now: now, extensions: extensions)
        return CertificateIssuer(certificate: certificate, key: key)
    }

    /// Makes a server certificate that is valid for 824 days from a day ago: Apple's clients accept
    /// no more than 825.
    func issueServer(
        commonName: String, names: [CertificateName], now: Int
    ) throws(TLSError) -> (certificate: Certificate, key: PrivateKey) {
        let serverKey = try PrivateKey.make()
        let extensions: [(Int32, String)] = [
            (NID_basic_constraints, "critical,CA:FALSE"),
            (NID_key_usage, "critical,digitalSignature"),
            (NID_ext_key_usage, "serverAuth"),
            (NID_subject_alt_name, names.map(\.extensionText).joined(separator: ",")),
            (NID_subject_key_identifier, "hash"),
            (NID_authority_key_identifier, "keyid:always"),
        ]
        let certificate = try Self.sign(
            commonName: commonName, key: serverKey, by: self, days: 823, now: now,
            extensions: extensions)
        return (certificate, serverKey)
    }

    private static func sign(
        commonName: String, key: PrivateKey, by issuer: CertificateIssuer?, days: Int, now: Int,
        extensions: [(Int32, String)]
    ) throws(TLSError) -> Certificate {
        guard let pointer = X509_new() else { throw .fromQueue(.library, "no certificate made") }
        let certificate = Certificate(pointer)
        var time = now
        // A day back, for clients whose clock is behind.
        guard X509_set_version(pointer, 2) == 1,
            setSerial(pointer),
            X509_time_adj_ex(X509_getm_notBefore(pointer), -1, 0, &time) != nil,
            X509_time_adj_ex(X509_getm_notAfter(pointer), Int32(days), 0, &time) != nil,
            X509_set_pubkey(pointer, key.pointer) == 1,
            setSubject(pointer, String(commonName.prefix(64))),
            X509_set_issuer_name(
                pointer, X509_get_subject_name(issuer?.certificate.pointer ?? pointer)) == 1
        else { throw .fromQueue(.library, "OpenSSL makes no certificate") }
        for (kind, value) in extensions {
            try add(kind, value, to: pointer, issuer: issuer?.certificate.pointer ?? pointer)
        }
        guard X509_sign(pointer, (issuer?.key ?? key).pointer, EVP_sha256()) > 0 else {
            throw .fromQueue(.library, "OpenSSL does not sign the certificate")
        }
        return certificate
    }

    /// RFC 5280 4.1.2.2: positive, at most 20 bytes; random, so that it needs no register.
    private static func setSerial(_ certificate: OpaquePointer) -> Bool {
        var bytes = randomBytes(16)
        bytes[0] = bytes[0] & 0x7f | 0x40
        guard let number = BN_bin2bn(bytes, Int32(bytes.count), nil) else { return false }
        defer { BN_free(number) }
        return BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nil
    }

    private static func setSubject(_ certificate: OpaquePointer, _ commonName: String) -> Bool {
        X509_NAME_add_entry_by_txt(
            X509_get_subject_name(certificate), "CN", MBSTRING_UTF8, commonName, -1, -1, 0) == 1
    }

    private static func add(
        _ kind: Int32, _ value: String, to certificate: OpaquePointer, issuer: OpaquePointer
    ) throws(TLSError) {
        var context = X509V3_CTX()
        sluice_x509v3_set_context(&context, issuer, certificate)
        guard let made = X509V3_EXT_conf_nid(nil, &context, kind, value) else {
            throw .fromQueue(.library, "OpenSSL refuses the extension \(value)")
        }
        defer { X509_EXTENSION_free(made) }
        guard X509_add_ext(certificate, made, -1) == 1 else {
            throw .fromQueue(.library, "OpenSSL does not add the extension \(value)")
        }
    }
}
