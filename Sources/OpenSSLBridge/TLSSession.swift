internal import COpenSSL
internal import Glibc

/// One TLS connection between bytes and bytes, without a socket.
///
/// Confined to one thread. Ciphertext goes in through `receive`, plaintext through `seal`; records
/// come out of `TLSOutput`. The session holds no buffer of its own: ciphertext is borrowed,
/// plaintext lands in a scratch buffer that the caller shares between sessions, and OpenSSL
/// releases its own when idle, or is gone behind the handshake (`TLSContext.ownsRecords`). After a
/// thrown error the session is of no more use.
package final class TLSSession {
    /// The largest plaintext of one record (RFC 8446 5.1).
    package static let recordBytesMax = 16_384
    /// What `receive` needs of scratch memory.
    package static let scratchBytesMin = RecordFormat.bodyBytesMax

    /// Whether application data may be sealed.
    package private(set) var isHandshakeComplete = false
    /// Whether the peer said close_notify: no more plaintext will come (RFC 8446 6.1).
    package var isPeerClosed: Bool { records?.isPeerClosed ?? isClosedBehindOpenSSL }
    private var isClosedBehindOpenSSL = false

    // Safe: whoever owns the session is its output and outlives it, or is cleared by `detach`.
    unowned(unsafe) let output: any TLSOutput
    // Safe: made in init; freed in deinit or behind the handshake, and nil from then on.
    private var ssl: OpaquePointer?
    private let context: TLSContext
    /// There during the handshake, if records are to be our own.
    private(set) var secrets: HandshakeSecrets?
    /// There behind the handshake, instead of `ssl`.
    private var records: RecordLayer?
    // Safe: set during `receive` only, to the bytes that its caller lends.
    private var input = UnsafeRawBufferPointer(start: nil, count: 0)
    private var isBroken = false

    /// Makes a session that has not yet begun.
    ///
    /// - Parameters:
    ///   - context: Decides between server and client.
    ///   - hostName: For a client: the DNS name or IP address that the server's certificate must
    ///     name (RFC 9525); a DNS name is also sent as SNI.
    ///   - output: Not retained; must outlive the session. Usually the session's owner.
    ///   - engine: What its thread's sessions share if they own their records; `nil`: one alone.
    /// - Throws: `.library`, when memory is short or `hostName` is not a name.
    package init(
        _ context: TLSContext, hostName: String? = nil, output: any TLSOutput,
        engine: RecordEngine? = nil
    ) throws(TLSError) {
        guard let ssl = SSL_new(context.pointer), let bio = SessionBIO.make() else {
            throw .fromQueue(.library, "OpenSSL makes no session")
        }
        self.ssl = ssl
        self.context = context
        self.output = output
        if context.ownsRecords { secrets = HandshakeSecrets(engine ?? RecordEngine()) }
        SSL_set_bio(ssl, bio, bio)
        // Safe: the BIO is freed with `ssl` in deinit, so it never outlives this object.
        BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
        switch context.role {
        case .server: SSL_set_accept_state(ssl)
        case .client:
            SSL_set_connect_state(ssl)
            if let hostName { try expect(hostName) }
        }
    }

    deinit { SSL_free(ssl) }

    private func expect(_ hostName: String) throws(TLSError) {
        let isAddress = Self.isAddress(hostName)
        if !isAddress, sluice_ssl_set_server_name(ssl, hostName) != 1 {
            throw .fromQueue(.library, "\(hostName) cannot be sent as a server name")
        }
        guard context.verifiesPeer else { return }
        let parameters = SSL_get0_param(ssl)
        let isSet =
            isAddress
            ? X509_VERIFY_PARAM_set1_ip_asc(parameters, hostName)
            : X509_VERIFY_PARAM_set1_host(parameters, hostName, hostName.utf8.count)
        guard isSet == 1 else {
            throw .fromQueue(.library, "\(hostName) cannot be verified")
        }
        X509_VERIFY_PARAM_set_hostflags(
            parameters, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
    }

    private static func isAddress(_ text: String) -> Bool {
        var bytes = in6_addr()
        return inet_pton(AF_INET, text, &bytes) == 1 || inet_pton(AF_INET6, text, &bytes) == 1
    }

    /// Begins the handshake; needed on the client's side, where nothing was received yet.
    package func start() throws(TLSError) { try handshake() }

    /// Takes bytes from the peer: handshake, alerts, application data.
    ///
    /// - Parameters:
    ///   - ciphertext: Borrowed during the call; all of it is consumed unless an error is thrown.
    ///   - scratch: At least `scratchBytesMin` bytes; holds the plaintext for the closure.
    ///   - plaintext: Called with what came out, perhaps more than once; it may call `seal` and
    ///     `shutdown`, but not `receive`.
    /// - Throws: `.verification`, `.handshake` or `.closed`; an alert was written to the output.
    package func receive(
        _ ciphertext: UnsafeRawBufferPointer, scratch: UnsafeMutableRawBufferPointer,
        plaintext: (UnsafeRawBufferPointer) -> Void
    ) throws(TLSError) {
        precondition(
            scratch.count >= Self.scratchBytesMin, "bug: scratch of \(scratch.count) bytes")
        precondition(input.isEmpty, "bug: receive inside receive")
        guard !isBroken else { throw TLSError(.closed, "The TLS connection is broken.") }
        input = ciphertext
        defer { input = UnsafeRawBufferPointer(start: nil, count: 0) }
        if !isHandshakeComplete {
            try handshake()
            guard isHandshakeComplete else { return }
        }
        guard let records else {
            try read(scratch, plaintext)
            return
        }
        do throws(TLSError) {
            try records.receive(input, scratch: scratch, to: output, plaintext: plaintext)
        } catch {
            isBroken = true
            throw error
        }
    }

    private func read(
        _ scratch: UnsafeMutableRawBufferPointer, _ plaintext: (UnsafeRawBufferPointer) -> Void
    ) throws(TLSError) {
        var filled = 0
        func deliver() {
            guard filled > 0 else { return }
            let bytes = UnsafeRawBufferPointer(rebasing: scratch[..<filled])
            filled = 0
            plaintext(bytes)
        }
        ERR_clear_error()
        while !isClosedBehindOpenSSL {
            // Several small records go to the closure at once: fewer buffers, one parse.
            if scratch.count - filled < Self.recordBytesMax { deliver() }
            let space = scratch[filled...]
            let count = SSL_read(ssl, space.base, Int32(clamping: space.count))
            if count > 0 {
                filled += Int(count)
                continue
            }
            switch SSL_get_error(ssl, count) {
            case SSL_ERROR_WANT_READ:
                deliver()
                return
            case SSL_ERROR_ZERO_RETURN:
                deliver()
                isClosedBehindOpenSSL = true
            default:
                let error = failure(.handshake, "TLS broke off")
                deliver()
                throw error
            }
        }
    }

    private func handshake() throws(TLSError) {
        ERR_clear_error()
        let result = SSL_do_handshake(ssl)
        if result == 1 {
            isHandshakeComplete = true
            takeRecordsOver()
            return
        }
        guard SSL_get_error(ssl, result) != SSL_ERROR_WANT_READ else { return }
        let verdict = SSL_get_verify_result(ssl)
        if context.verifiesPeer, verdict != Int(X509_V_OK) {
            isBroken = true
            ERR_clear_error()
            let reason = String(cString: X509_verify_cert_error_string(verdict))
            throw TLSError(.verification, "The server's certificate is not accepted: \(reason).")
        }
        throw failure(.handshake, "The TLS handshake failed")
    }

    /// Goes on without OpenSSL's session where that can be.
    private func takeRecordsOver() {
        defer { secrets = nil }
        guard let ssl, let secrets, let records = secrets.recordLayer(behind: ssl) else { return }
        self.records = records
        // Otherwise OpenSSL takes it for broken off, and the session is not to be resumed.
        SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)
        SSL_free(ssl)
        self.ssl = nil
    }

    /// Seals plaintext into records of at most `recordBytesMax` and writes them to the output.
    package func seal(_ plaintext: UnsafeRawBufferPointer) throws(TLSError) {
        guard isHandshakeComplete, !isBroken else {
            throw TLSError(.closed, "The TLS connection is not open.")
        }
        if let records {
            try records.seal(plaintext, to: output)
            return
        }
        var rest = plaintext
        while !rest.isEmpty {
            let piece = Int32(clamping: min(rest.count, Self.recordBytesMax))
            let count = SSL_write(ssl, rest.baseAddress, piece)
            // The output takes everything, so a write that fails has failed for good.
            guard count > 0 else { throw failure(.closed, "TLS cannot send") }
            rest = UnsafeRawBufferPointer(rebasing: rest[Int(count)...])
        }
    }

    /// Says close_notify, once; the peer may still send (RFC 8446 6.1).
    package func shutdown() {
        guard isHandshakeComplete, !isBroken else { return }
        if let records {
            records.shutdown(to: output)
            return
        }
        SSL_shutdown(ssl)
        ERR_clear_error()
    }

    /// Whether records are sealed and opened without OpenSSL's session, which is gone.
    package var ownsRecords: Bool { records != nil }

    /// The negotiated version, `TLSv1.3` for instance.
    package var version: String {
        ownsRecords ? "TLSv1.3" : String(cString: SSL_get_version(ssl))
    }

    /// The negotiated cipher suite's name; empty before the handshake.
    package var cipher: String {
        if let records { return records.suiteName }
        return SSL_get_current_cipher(ssl).map { String(cString: SSL_CIPHER_get_name($0)) } ?? ""
    }

    func takeInput(into space: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(space.count, input.count)
        guard count > 0 else { return 0 }
        space.copyMemory(from: UnsafeRawBufferPointer(rebasing: input[..<count]))
        input = UnsafeRawBufferPointer(rebasing: input[count...])
        return count
    }

    private func failure(_ code: TLSError.Code, _ what: String) -> TLSError {
        isBroken = true
        return .fromQueue(code, what)
    }
}

@available(*, unavailable) extension TLSSession: Sendable {}

extension Slice where Base == UnsafeMutableRawBufferPointer {
    /// The address of the slice's first byte.
    fileprivate var base: UnsafeMutableRawPointer? {
        UnsafeMutableRawBufferPointer(rebasing: self).baseAddress
    }
}
