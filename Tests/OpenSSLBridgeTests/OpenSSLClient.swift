// OpenSSL's own client, because it can do what ours never does: offer few ciphers, ask for new
// keys, resume a session.
import COpenSSL
import OpenSSLBridge

/// A TLS client in memory that has nothing of `TLSSession`.
final class OpenSSLClient {
    // Safe: made in init, used by one test on one thread, and freed in deinit.
    let ssl: OpaquePointer
    private let context: OpaquePointer
    private let incoming: OpaquePointer
    private let outgoing: OpaquePointer

    struct Failure: Error, Equatable { let reason: String }

    /// Offers `suites` of TLS 1.3, colon-separated in the order of preference, or with `ciphers`
    /// those of TLS 1.2 and nothing newer; has keys of `groups` alone; resumes `session`.
    init(
        suites: String? = nil, ciphers: String? = nil, groups: String? = nil,
        session: OpaquePointer? = nil
    ) throws {
        guard let context = SSL_CTX_new(TLS_client_method()), let ssl = SSL_new(context),
            let incoming = BIO_new(BIO_s_mem()), let outgoing = BIO_new(BIO_s_mem())
        else { throw Failure(reason: "no client") }
        (self.context, self.ssl, self.incoming, self.outgoing) = (context, ssl, incoming, outgoing)
        SSL_set_bio(ssl, incoming, outgoing)
        SSL_set_connect_state(ssl)
        if let suites { try check(SSL_set_ciphersuites(ssl, suites)) }
        if let ciphers {
            try check(SSL_set_cipher_list(ssl, ciphers))
            try check(
                Int32(SSL_ctrl(ssl, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(TLS1_2_VERSION), nil)))
        }
        if let groups {
            try groups.withCString { names in
                let names = UnsafeMutableRawPointer(mutating: names)
                try check(Int32(SSL_ctrl(ssl, SSL_CTRL_SET_GROUPS_LIST, 0, names)))
            }
        }
        if let session { try check(SSL_set_session(ssl, session)) }
    }

    deinit {
        SSL_free(ssl)
        SSL_CTX_free(context)
    }

    private func check(_ result: Int32) throws {
        if result == 1 { return }
        let code = ERR_get_error()
        ERR_clear_error()
        throw Failure(reason: ERR_reason_error_string(code).map { String(cString: $0) } ?? "?")
    }

    /// What the client has written and nobody has taken.
    func takeOutput() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: BIO_ctrl_pending(outgoing))
        let count = BIO_read(outgoing, &bytes, Int32(bytes.count))
        return Array(bytes.prefix(Int(max(count, 0))))
    }

    func giveInput(_ bytes: [UInt8]) { BIO_write(incoming, bytes, Int32(bytes.count)) }

    /// Goes on with the handshake; whether it is complete.
    func handshake() throws -> Bool {
        let result = SSL_do_handshake(ssl)
        if result != 1, SSL_get_error(ssl, result) != SSL_ERROR_WANT_READ { try check(result) }
        return result == 1
    }

    func send(_ bytes: [UInt8]) throws {
        try check(SSL_write(ssl, bytes, Int32(bytes.count)) == bytes.count ? 1 : 0)
    }

    /// Reads all that has come; alerts and new keys are dealt with by the way.
    func receive() throws -> [UInt8] {
        var all: [UInt8] = []
        var bytes = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = SSL_read(ssl, &bytes, Int32(bytes.count))
            if count > 0 {
                all += bytes.prefix(Int(count))
                continue
            }
            switch SSL_get_error(ssl, count) {
            case SSL_ERROR_WANT_READ, SSL_ERROR_ZERO_RETURN: return all
            default: try check(0)
            }
        }
    }

    /// Announces new keys of its own (RFC 8446 4.6.3), and asks for the server's if `asks`.
    func updateKeys(asks: Bool) throws {
        try check(
            SSL_key_update(ssl, asks ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED))
        try check(SSL_do_handshake(ssl))
    }

    func shutdown() { SSL_shutdown(ssl) }

    var isClosedByServer: Bool { SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN != 0 }
    var cipher: String { String(cString: SSL_CIPHER_get_name(SSL_get_current_cipher(ssl))) }
    var isResumed: Bool { SSL_session_reused(ssl) == 1 }

    /// Completes the handshake with a server.
    func connect(to server: MemoryPeer) throws {
        var isComplete = false
        for _ in 0..<4 where !isComplete {
            isComplete = try handshake()
            try server.take(takeOutput())
            giveInput(server.takeOutput())
        }
        try check(isComplete ? 1 : 0)
    }
}
