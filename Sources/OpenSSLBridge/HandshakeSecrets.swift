internal import COpenSSL
internal import Glibc

/// What OpenSSL tells during a server's handshake of TLS 1.3, so that we can go on without it: the
/// secrets of both directions, and how many records went out under ours.
///
/// OpenSSL has one way to learn the secrets, its callback for key logs; they go into this memory
/// alone, which is wiped when the handshake is over.
final class HandshakeSecrets {
    private let engine: RecordEngine
    // Safe: made in init, owned by this object alone, wiped and freed in deinit.
    private let memory: UnsafeMutableRawBufferPointer
    private var serverBytes = 0
    private var clientBytes = 0
    /// Records behind our Finished: session tickets.
    private var sentRecords: UInt64 = 0

    private static let secretBytesMax = 48

    init(_ engine: RecordEngine) {
        self.engine = engine
        memory = .allocate(byteCount: 2 * Self.secretBytesMax, alignment: 8)
    }

    deinit {
        OPENSSL_cleanse(memory.baseAddress, memory.count)
        memory.deallocate()
    }

    /// Has every session of a context that has a `HandshakeSecrets` fill it.
    static func collect(from context: OpaquePointer) {
        SSL_CTX_set_keylog_callback(context) { ssl, line in
            guard let line, let session = SessionBIO.session(of: SSL_get_rbio(ssl)) else { return }
            session._withUnsafeGuaranteedRef { $0.secrets?.take(line) }
        }
        SSL_CTX_set_msg_callback(context) { isWritten, _, type, bytes, count, ssl, _ in
            guard isWritten == 1, let bytes, count > 0,
                let session = SessionBIO.session(of: SSL_get_rbio(ssl))
            else { return }
            let first = bytes.load(as: UInt8.self)
            session._withUnsafeGuaranteedRef { $0.secrets?.wrote(type, first) }
        }
    }

    /// A line of NSS's key log format: label, the client's random, secret, in hexadecimal.
    private func take(_ line: UnsafePointer<CChar>) {
        if strncmp(line, "SERVER_TRAFFIC_SECRET_0 ", 24) == 0 {
            serverBytes = read(line + 24, to: 0)
        } else if strncmp(line, "CLIENT_TRAFFIC_SECRET_0 ", 24) == 0 {
            clientBytes = read(line + 24, to: Self.secretBytesMax)
        }
    }

    private func read(_ text: UnsafePointer<CChar>, to place: Int) -> Int {
        guard let space = strchr(text, 32) else { return 0 }
        let digits = space + 1
        let count = strlen(digits) / 2
        guard count <= Self.secretBytesMax else { return 0 }
        for at in 0..<count {
            memory[place + at] = Self.value(digits[2 * at]) << 4 | Self.value(digits[2 * at + 1])
        }
        return count
    }

    private static func value(_ digit: CChar) -> UInt8 {
        let code = UInt8(bitPattern: digit)
        return code >= 97 ? code - 87 : code >= 65 ? code - 55 : code & 15
    }

    /// OpenSSL tells a message once its records are written, and those records' headers before.
    private func wrote(_ type: Int32, _ first: UInt8) {
        switch type {
        case SSL3_RT_HEADER: sentRecords += 1
        case SSL3_RT_HANDSHAKE where first == UInt8(SSL3_MT_FINISHED): sentRecords = 0
        default: break
        }
    }

    /// The connection's records from here on; `nil` if they have to stay with OpenSSL, for another
    /// version or cipher, or because it has read ahead.
    func recordLayer(behind ssl: OpaquePointer) -> RecordLayer? {
        guard SSL_version(ssl) == TLS1_3_VERSION, SSL_has_pending(ssl) == 0,
            let suite = SSL_get_current_cipher(ssl),
            let cipher = RecordCipher(suite: SSL_CIPHER_get_protocol_id(suite)),
            serverBytes == cipher.secretBytes, clientBytes == cipher.secretBytes
        else { return nil }
        let server = UnsafeRawBufferPointer(rebasing: memory[..<serverBytes])
        let client = UnsafeRawBufferPointer(
            rebasing: memory[Self.secretBytesMax...].prefix(clientBytes))
        return RecordLayer(
            engine, sealing: RecordKeys(cipher, secret: server, sequence: sentRecords),
            opening: RecordKeys(cipher, secret: client, sequence: 0))
    }
}
