internal import COpenSSL

/// What protects one direction of a connection: a traffic secret, the key and IV made of it, and
/// the number of the next record (RFC 8446 5.3, 7.3).
///
/// The only copy of all of it is in one piece of memory, which is wiped when this goes.
struct RecordKeys: ~Copyable {
    let cipher: RecordCipher
    /// Records under these keys, before the next.
    private(set) var sequence: UInt64
    // Safe: made in init, owned by this value alone, wiped and freed in deinit.
    private let memory: UnsafeMutableRawPointer

    private static let secretBytesMax = 48
    private static let keyAt = secretBytesMax
    private static let ivAt = keyAt + 32
    private static let byteCount = ivAt + RecordCipher.nonceBytes

    /// Derives the first keys of a secret.
    ///
    /// - Parameters:
    ///   - cipher: The connection's.
    ///   - secret: `cipher.secretBytes` bytes, which the caller wipes.
    ///   - sequence: How many records went under this secret already.
    init(_ cipher: RecordCipher, secret: UnsafeRawBufferPointer, sequence: UInt64) {
        precondition(secret.count == cipher.secretBytes, "bug: secret of \(secret.count) bytes")
        self.cipher = cipher
        self.sequence = sequence
        memory = .allocate(byteCount: Self.byteCount, alignment: 8)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: Self.byteCount)
        UnsafeMutableRawBufferPointer(start: memory, count: secret.count).copyMemory(from: secret)
        deriveKey()
    }

    deinit {
        OPENSSL_cleanse(memory, Self.byteCount)
        memory.deallocate()
    }

    var key: UnsafePointer<UInt8> { at(Self.keyAt) }

    /// Takes the next record's number and writes its nonce: the IV with the number over its last
    /// eight bytes.
    mutating func takeNonce(into nonce: UnsafeMutableRawPointer) {
        nonce.copyMemory(from: memory + Self.ivAt, byteCount: RecordCipher.nonceBytes)
        let low = nonce.loadUnaligned(fromByteOffset: 4, as: UInt64.self)
        nonce.storeBytes(of: low ^ sequence.bigEndian, toByteOffset: 4, as: UInt64.self)
        // 2^64 records are out of reach, and adding traps before a number comes again.
        sequence += 1
    }

    /// Goes on to the next secret, as a KeyUpdate says (RFC 8446 7.2).
    mutating func update() {
        Self.expand(secret, cipher, "traffic upd", into: memory, count: cipher.secretBytes)
        deriveKey()
        sequence = 0
    }

    private var secret: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: memory, count: cipher.secretBytes)
    }

    private func at(_ place: Int) -> UnsafePointer<UInt8> {
        UnsafePointer((memory + place).assumingMemoryBound(to: UInt8.self))
    }

    private func deriveKey() {
        Self.expand(secret, cipher, "key", into: memory + Self.keyAt, count: cipher.keyBytes)
        Self.expand(
            secret, cipher, "iv", into: memory + Self.ivAt, count: RecordCipher.nonceBytes)
    }

    /// HKDF-Expand-Label with an empty context (RFC 8446 7.1), for at most a digest's bytes.
    ///
    /// So few are one HMAC (RFC 5869 2.3), of the label and a counter of 1.
    private static func expand(
        _ secret: UnsafeRawBufferPointer, _ cipher: RecordCipher, _ label: StaticString,
        into result: UnsafeMutableRawPointer, count: Int
    ) {
        precondition(count <= cipher.secretBytes, "bug: \(count) bytes of one digest")
        let fullLabel = Array("tls13 \(label)".utf8)
        let info = [0, UInt8(count), UInt8(fullLabel.count)] + fullLabel + [0, 1]
        withUnsafeTemporaryAllocation(byteCount: secretBytesMax, alignment: 8) { digest in
            let isDone =
                HMAC(
                    cipher.digest, secret.baseAddress, Int32(secret.count), info, info.count,
                    digest.baseAddress?.assumingMemoryBound(to: UInt8.self), nil) != nil
            // There is no safe way on without the key.
            precondition(isDone, "OpenSSL makes no HMAC")
            result.copyMemory(
                from: UnsafeRawPointer(digest.baseAddress ?? result), byteCount: count)
            OPENSSL_cleanse(digest.baseAddress, digest.count)
        }
    }
}
