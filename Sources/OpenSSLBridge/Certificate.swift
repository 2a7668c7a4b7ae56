internal import COpenSSL

/// An X.509 certificate, in memory.
final class Certificate {
    // Safe: owned by this object alone and freed in deinit.
    let pointer: OpaquePointer

    /// Takes over the pointer.
    init(_ pointer: OpaquePointer) { self.pointer = pointer }

    deinit { X509_free(pointer) }

    /// Reads the first certificate of a PEM file; nil if there is none or the file is missing.
    static func read(_ path: String) -> Certificate? {
        defer { ERR_clear_error() }
        guard let file = BIO_new_file(path, "r") else { return nil }
        defer { BIO_free(file) }
        return PEM_read_bio_X509(file, nil, nil, nil).map { Certificate($0) }
    }

    var pem: [UInt8]? { pemBytes { PEM_write_bio_X509($0, pointer) } }

    /// Whether it is valid from `time` for at least `seconds`.
    func isValid(at time: Int, for seconds: Int) -> Bool {
        var begin = time
        var end = time + seconds
        return X509_cmp_time(X509_get0_notBefore(pointer), &begin) < 0
            && X509_cmp_time(X509_get0_notAfter(pointer), &end) > 0
    }

    func belongs(to key: PrivateKey) -> Bool {
        defer { ERR_clear_error() }
        return X509_check_private_key(pointer, key.pointer) == 1
    }

    func isSigned(by authority: Certificate) -> Bool {
        defer { ERR_clear_error() }
        return X509_verify(pointer, X509_get0_pubkey(authority.pointer)) == 1
    }

    /// Whether its subject alternative names include this DNS name or IP address.
    func names(_ name: CertificateName) -> Bool {
        defer { ERR_clear_error() }
        switch name {
        case .dns(let text): return X509_check_host(pointer, text, 0, 0, nil) == 1
        case .address(let text): return X509_check_ip_asc(pointer, text, 0) == 1
        }
    }
}

/// A private key, in memory.
final class PrivateKey {
    // Safe: owned by this object alone and freed in deinit.
    let pointer: OpaquePointer

    /// Takes over the pointer.
    init(_ pointer: OpaquePointer) { self.pointer = pointer }

    deinit { EVP_PKEY_free(pointer) }

    /// Makes a new P-256 key.
    static func make() throws(TLSError) -> PrivateKey {
        guard let pointer = sluice_make_p256_key() else {
            throw .fromQueue(.library, "OpenSSL makes no P-256 key")
        }
        return PrivateKey(pointer)
    }

    /// Reads an unencrypted PEM file; nil if it holds no key or is missing.
    static func read(_ path: String) -> PrivateKey? {
        defer { ERR_clear_error() }
        guard let file = BIO_new_file(path, "r") else { return nil }
        defer { BIO_free(file) }
        return PEM_read_bio_PrivateKey(file, nil, nil, nil).map { PrivateKey($0) }
    }

    var pem: [UInt8]? {
        pemBytes { PEM_write_bio_PKCS8PrivateKey($0, pointer, nil, nil, 0, nil, nil) }
    }
}

private func pemBytes(_ write: (OpaquePointer) -> Int32) -> [UInt8]? {
    guard let memory = BIO_new(BIO_s_mem()) else { return nil }
    defer { BIO_free(memory) }
    guard write(memory) == 1 else { return nil }
    var start: UnsafeMutablePointer<CChar>?
    let count = sluice_bio_mem_data(memory, &start)
    // Safe: the bytes are copied before the BIO that owns them is freed.
    return Array(UnsafeRawBufferPointer(start: start, count: count))
}
