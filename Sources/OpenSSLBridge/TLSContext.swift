internal import COpenSSL
internal import Glibc

/// What a side of TLS needs to know before its first connection.
package enum TLSConfiguration: Sendable {
    /// A server: PEM files of its certificate chain (leaf first) and of its private key.
    case server(certificateChain: String, privateKey: String)
    /// A client: whom it trusts.
    case client(TLSTrust)
}

/// Whom a client trusts.
package struct TLSTrust: Sendable {
    /// A PEM file of certificate authorities.
    package var authorities: String?
    /// Whether the operating system's authorities are trusted, too.
    package var includesSystem: Bool
    /// Whether the server is taken for what it says; only for tests and `--insecure`.
    package var isInsecure: Bool

    package init(authorities: String? = nil, includesSystem: Bool = true, isInsecure: Bool = false)
    {
        self.authorities = authorities
        self.includesSystem = includesSystem
        self.isInsecure = isInsecure
    }
}

/// Which versions of TLS a context speaks; both unless a test says otherwise.
package enum TLSVersions: Sendable {
    case all
    case tls12
    case tls13
}

/// What the connections of one side share: certificates, keys and policy.
///
/// Immutable once made. TLS 1.2 and 1.3, with authenticated encryption and forward secrecy alone
/// (RFC 9325 4.2); no compression, no renegotiation, and unless a test asks for tickets no
/// resumption: neither session cache nor tickets.
package final class TLSContext: Sendable {
    package enum Role: Sendable { case server, client }

    package let role: Role
    /// Whether the records of a server's TLS 1.3 connections are our own behind the handshake.
    package let ownsRecords: Bool
    let verifiesPeer: Bool
    /// What a server with further certificates takes for clients that ask for one of their names.
    private let others: [TLSContext]
    // Safe: an SSL_CTX is reference-counted and locks itself; it is not changed after init.
    nonisolated(unsafe) let pointer: OpaquePointer

    /// Makes a context.
    ///
    /// - Parameters:
    ///   - configuration: Which side it is, and whom it trusts or who it is.
    ///   - versions: What it speaks.
    ///   - ownsRecords: Behind a handshake of TLS 1.3, a server frees OpenSSL's session and seals
    ///     and opens records by itself (`RecordLayer`). Without effect for a client.
    ///   - tickets: How many session tickets a server sends behind a handshake of TLS 1.3.
    ///   - others: A server's further contexts, alike but for the certificate: the first whose
    ///     certificate has the name that a client asks for (RFC 6066 3) serves it, if this one's
    ///     has it not.
    /// - Throws: `.file`, `.keyMismatch` or `.expired`, naming the file; `.library`.
    package init(
        _ configuration: TLSConfiguration, versions: TLSVersions = .all,
        ownsRecords: Bool = false, tickets: Int = 0, others: [TLSContext] = []
    ) throws(TLSError) {
        self.others = others
        ERR_clear_error()
        let method: OpaquePointer?
        switch configuration {
        case .server: (role, method) = (.server, TLS_server_method())
        case .client: (role, method) = (.client, TLS_client_method())
        }
        self.ownsRecords = ownsRecords && role == .server
        guard let pointer = SSL_CTX_new(method) else {
            throw .fromQueue(.library, "OpenSSL makes no context")
        }
        self.pointer = pointer
        if case .client(let trust) = configuration {
            verifiesPeer = !trust.isInsecure
        } else {
            verifiesPeer = false
        }
        sluice_ctx_set_modes(pointer)
        if tickets == 0 {
            sluice_ctx_disable_resumption(pointer)
        } else {
            SSL_CTX_set_num_tickets(pointer, tickets)
        }
        sluice_ctx_set_options(pointer)
        try setVersions(versions)
        try setCiphers()
        switch configuration {
        case .server(let chain, let key):
            sluice_ctx_prefer_server_ciphers(pointer)
            try loadIdentity(chain: chain, key: key)
            if !others.isEmpty { chooseByServerName() }
        case .client(let trust): try loadTrust(trust)
        }
        setApplicationProtocols()
        if self.ownsRecords { HandshakeSecrets.collect(from: pointer) }
    }

    deinit { SSL_CTX_free(pointer) }

    private func setVersions(_ versions: TLSVersions) throws(TLSError) {
        let range: (least: Int32, most: Int32)
        switch versions {
        case .all: range = (TLS1_2_VERSION, TLS1_3_VERSION)
        case .tls12: range = (TLS1_2_VERSION, TLS1_2_VERSION)
        case .tls13: range = (TLS1_3_VERSION, TLS1_3_VERSION)
        }
        guard sluice_ctx_set_min_proto_version(pointer, range.least) == 1,
            sluice_ctx_set_max_proto_version(pointer, range.most) == 1
        else { throw .fromQueue(.library, "OpenSSL does not speak TLS 1.2 and 1.3") }
    }

    /// Ciphers with authenticated encryption, of TLS 1.2 those with forward secrecy alone, and
    /// keys of elliptic curves; AES-128-GCM first: as good, with four rounds fewer.
    ///
    /// A client that has ChaCha20-Poly1305 first has no AES in hardware, and gets that.
    private func setCiphers() throws(TLSError) {
        let suites =
            "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
        let ciphers = "ECDHE+AES128+AESGCM:ECDHE+AES256+AESGCM:ECDHE+CHACHA20"
        // Finite fields are left out: a client that asks for the largest costs a server 200
        // times what X25519 does.
        guard SSL_CTX_set_ciphersuites(pointer, suites) == 1,
            SSL_CTX_set_cipher_list(pointer, ciphers) == 1,
            sluice_ctx_set_groups(pointer, "X25519:P-256:P-384:P-521") == 1
        else { throw .fromQueue(.library, "OpenSSL has not the ciphers of TLS 1.2 and 1.3") }
    }

    /// Another context's certificate serves a client that asks for one of its names.
    private func chooseByServerName() {
        // Safe: a session retains its context, and this is called in a session's handshake alone.
        let here = Unmanaged.passUnretained(self).toOpaque()
        sluice_ctx_set_server_name_callback(
            pointer,
            { ssl, _, here in
                guard let here, let name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)
                else { return SSL_TLSEXT_ERR_NOACK }
                let context = Unmanaged<TLSContext>.fromOpaque(here).takeUnretainedValue()
                if !context.isNamed(name),
                    let other = context.others.first(where: { $0.isNamed(name) })
                {
                    SSL_set_SSL_CTX(ssl, other.pointer)
                }
                return SSL_TLSEXT_ERR_OK
            }, here)
    }

    private func isNamed(_ name: UnsafePointer<CChar>) -> Bool {
        X509_check_host(SSL_CTX_get0_certificate(pointer), name, 0, 0, nil) == 1
    }

    /// How long a server's certificate is valid from now on, in seconds.
    package var secondsLeft: Int {
        var (days, seconds): (Int32, Int32) = (0, 0)
        let end = X509_get0_notAfter(SSL_CTX_get0_certificate(pointer))
        // From `nil`, which is now.
        guard ASN1_TIME_diff(&days, &seconds, nil, end) == 1 else { return 0 }
        return Int(days) * 86_400 + Int(seconds)
    }

    /// What is odd about a server's certificate chain, though clients may have a reason to trust
    /// it; `nil`: it leads to an authority that this system trusts.
    package var chainFinding: String? {
        defer { ERR_clear_error() }
        let leaf = SSL_CTX_get0_certificate(pointer)
        guard let store = X509_STORE_new(), let check = X509_STORE_CTX_new() else { return nil }
        defer {
            X509_STORE_CTX_free(check)
            X509_STORE_free(store)
        }
        guard X509_STORE_set_default_paths(store) == 1,
            X509_STORE_CTX_init(check, store, leaf, sluice_ctx_chain(pointer)) == 1,
            X509_verify_cert(check) != 1
        else { return nil }
        switch X509_STORE_CTX_get_error(check) {
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: return "it is signed by itself"
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
        where X509_STORE_CTX_get_error_depth(check) == 0,
            X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            return "the certificate of its issuer is missing"
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
            return "it ends at an authority that this system does not trust"
        case let error: return String(cString: X509_verify_cert_error_string(Int(error)))
        }
    }

    private func loadIdentity(chain: String, key: String) throws(TLSError) {
        try Self.requireReadable(chain, "certificate")
        try Self.requireReadable(key, "private key")
        guard SSL_CTX_use_certificate_chain_file(pointer, chain) == 1 else {
            throw .fromQueue(.file, "\(chain) is not a PEM certificate chain")
        }
        guard SSL_CTX_use_PrivateKey_file(pointer, key, SSL_FILETYPE_PEM) == 1 else {
            let mismatch = sluice_error_reason(ERR_peek_error()) == X509_R_KEY_VALUES_MISMATCH
            if mismatch {
                ERR_clear_error()
                throw TLSError(.keyMismatch, "The private key \(key) is not the one of \(chain).")
            }
            throw .fromQueue(.file, "\(key) is not an unencrypted PEM private key")
        }
        guard SSL_CTX_check_private_key(pointer) == 1 else {
            ERR_clear_error()
            throw TLSError(.keyMismatch, "The private key \(key) is not the one of \(chain).")
        }
        try requireValidNow(chain)
    }

    private func requireValidNow(_ chain: String) throws(TLSError) {
        guard let leaf = SSL_CTX_get0_certificate(pointer) else {
            throw TLSError(.file, "\(chain) holds no certificate.")
        }
        if X509_cmp_current_time(X509_get0_notAfter(leaf)) < 0 {
            throw TLSError(.expired, "The certificate \(chain) has expired.")
        }
        if X509_cmp_current_time(X509_get0_notBefore(leaf)) > 0 {
            throw TLSError(.expired, "The certificate \(chain) is not valid yet.")
        }
    }

    private func loadTrust(_ trust: TLSTrust) throws(TLSError) {
        guard !trust.isInsecure else {
            SSL_CTX_set_verify(pointer, SSL_VERIFY_NONE, nil)
            return
        }
        SSL_CTX_set_verify(pointer, SSL_VERIFY_PEER, nil)
        if trust.includesSystem, SSL_CTX_set_default_verify_paths(pointer) != 1 {
            throw .fromQueue(.library, "The system's certificate authorities cannot be used")
        }
        if let authorities = trust.authorities {
            try Self.requireReadable(authorities, "certificate authority")
            guard SSL_CTX_load_verify_file(pointer, authorities) == 1 else {
                throw .fromQueue(.file, "\(authorities) holds no PEM certificate")
            }
        }
        // A missing default directory leaves an entry behind although the call succeeds.
        ERR_clear_error()
    }

    /// ALPN (RFC 7301): a client offers `http/1.1`; a server chooses it and otherwise goes on
    /// without, because every protocol it speaks is HTTP/1.1.
    private func setApplicationProtocols() {
        switch role {
        case .client:
            SSL_CTX_set_alpn_protos(pointer, Self.http11, UInt32(Self.http11.count))
        case .server:
            let select: SSL_CTX_alpn_select_cb_func = { _, chosen, length, offered, count, _ in
                guard let chosen, let length, let offered else { return SSL_TLSEXT_ERR_NOACK }
                let wire = UnsafeBufferPointer(start: offered, count: Int(count))
                var at = 0
                while at < wire.count {
                    let name = at + 1
                    let next = name + Int(wire[at])
                    guard next <= wire.count else { break }
                    if wire[name..<next].elementsEqual("http/1.1".utf8) {
                        chosen.pointee = offered + name
                        length.pointee = wire[at]
                        return SSL_TLSEXT_ERR_OK
                    }
                    at = next
                }
                return SSL_TLSEXT_ERR_NOACK
            }
            SSL_CTX_set_alpn_select_cb(pointer, select, nil)
        }
    }

    private static let http11: [UInt8] = [8] + Array("http/1.1".utf8)

    private static func requireReadable(_ path: String, _ what: String) throws(TLSError) {
        guard access(path, R_OK) == 0 else {
            let reason = String(cString: strerror(errno))
            throw TLSError(.file, "The \(what) file \(path) cannot be read: \(reason).")
        }
    }
}
