internal import COpenSSL

/// Seals and opens the records of all connections of one thread.
///
/// It has one context a cipher and direction, which takes another key with each record: that costs
/// 0.13 µs, where a context for each connection would cost it 2.3 KiB. Confined to its thread.
package final class RecordEngine {
    /// Records that go out under one key; AES-GCM is good for 2^24.5 (RFC 8446 5.5).
    package static let recordsPerKeyMax: UInt64 = 1 << 23

    let recordsPerKey: UInt64
    private var sealers: [CipherContext?] = RecordCipher.allCases.map { _ in nil }
    private var openers: [CipherContext?] = RecordCipher.allCases.map { _ in nil }
    // Safe: made in init and freed in deinit; what is lent of it is valid until the next record.
    private let space: UnsafeMutableRawBufferPointer

    package init(recordsPerKey: UInt64 = recordsPerKeyMax) {
        self.recordsPerKey = recordsPerKey
        space = .allocate(byteCount: RecordFormat.sealedBytesMax, alignment: 64)
    }

    deinit { space.deallocate() }

    /// Seals one record (RFC 8446 5.2).
    ///
    /// - Parameters:
    ///   - content: At most `TLSSession.recordBytesMax` bytes; no padding is added.
    ///   - type: What the content is.
    ///   - keys: Take the next number.
    /// - Returns: The record, valid until the next one is sealed.
    /// - Throws: `.library`, if OpenSSL refuses.
    func seal(
        _ content: UnsafeRawBufferPointer, as type: RecordContent, with keys: inout RecordKeys
    ) throws(TLSError) -> UnsafeRawBufferPointer {
        precondition(content.count <= TLSSession.recordBytesMax, "bug: \(content.count) bytes")
        guard let record = space.baseAddress else { preconditionFailure("bug: no space") }
        let context = try context(of: keys.cipher, isSealing: true)
        let count = RecordFormat.writeHeader(content.count, to: record)
        guard context.seal(content, as: type, to: record, with: &keys) else {
            throw .fromQueue(.library, "OpenSSL seals no record")
        }
        return UnsafeRawBufferPointer(start: record, count: count)
    }

    /// Opens one record.
    ///
    /// - Parameters:
    ///   - record: A whole one, header included.
    ///   - inner: Room for the record's bytes without header and tag. Until the tag is checked
    ///     there may be anything in it.
    ///   - keys: Take the next number.
    /// - Returns: `false` if it is not authentic; what `inner` holds is of no use then.
    /// - Throws: `.library`, if OpenSSL refuses.
    func open(
        _ record: UnsafeRawBufferPointer, into inner: UnsafeMutableRawBufferPointer,
        with keys: inout RecordKeys
    ) throws(TLSError) -> Bool {
        let context = try context(of: keys.cipher, isSealing: false)
        return context.open(record, into: inner, with: &keys)
    }

    private func context(
        of cipher: RecordCipher, isSealing: Bool
    ) throws(TLSError) -> CipherContext {
        let known = isSealing ? sealers[cipher.rawValue] : openers[cipher.rawValue]
        if let known { return known }
        let made = try CipherContext(cipher, isSealing: isSealing)
        if isSealing { sealers[cipher.rawValue] = made } else { openers[cipher.rawValue] = made }
        return made
    }
}

@available(*, unavailable) extension RecordEngine: Sendable {}

/// One of OpenSSL's contexts for one cipher and one direction.
private final class CipherContext {
    // Safe: owned by this object alone; freeing it wipes the last key.
    private let pointer: OpaquePointer

    init(_ cipher: RecordCipher, isSealing: Bool) throws(TLSError) {
        guard let algorithm = EVP_CIPHER_fetch(nil, cipher.name, nil) else {
            throw .fromQueue(.library, "OpenSSL has no \(cipher.name)")
        }
        // The context keeps a reference of its own.
        defer { EVP_CIPHER_free(algorithm) }
        guard let pointer = EVP_CIPHER_CTX_new() else {
            throw .fromQueue(.library, "OpenSSL makes no cipher context")
        }
        self.pointer = pointer
        guard EVP_CipherInit_ex(pointer, algorithm, nil, nil, nil, isSealing ? 1 : 0) == 1 else {
            throw .fromQueue(.library, "OpenSSL has no \(cipher.name)")
        }
    }

    deinit { EVP_CIPHER_CTX_free(pointer) }

    /// Encrypts content and type behind the header that is there, and puts the tag behind.
    func seal(
        _ content: UnsafeRawBufferPointer, as type: RecordContent,
        to record: UnsafeMutableRawPointer, with keys: inout RecordKeys
    ) -> Bool {
        let bytes = record.assumingMemoryBound(to: UInt8.self)
        let body = bytes + RecordFormat.headerBytes
        var count: Int32 = 0
        var code = type.rawValue
        return takeKey(&keys)
            && EVP_EncryptUpdate(pointer, nil, &count, bytes, Int32(RecordFormat.headerBytes)) == 1
            && (content.isEmpty
                || EVP_EncryptUpdate(
                    pointer, body, &count,
                    content.baseAddress?.assumingMemoryBound(to: UInt8.self), Int32(content.count))
                    == 1)
            && EVP_EncryptUpdate(pointer, body + content.count, &count, &code, 1) == 1
            && EVP_EncryptFinal_ex(pointer, body, &count) == 1
            && EVP_CIPHER_CTX_ctrl(
                pointer, EVP_CTRL_AEAD_GET_TAG, Int32(RecordCipher.tagBytes),
                body + content.count + 1) == 1
    }

    func open(
        _ record: UnsafeRawBufferPointer, into inner: UnsafeMutableRawBufferPointer,
        with keys: inout RecordKeys
    ) -> Bool {
        let count = record.count - RecordFormat.headerBytes - RecordCipher.tagBytes
        guard count > 0, count <= inner.count, let start = record.baseAddress,
            let plain = inner.baseAddress?.assumingMemoryBound(to: UInt8.self)
        else { return false }
        let bytes = start.assumingMemoryBound(to: UInt8.self)
        let body = bytes + RecordFormat.headerBytes
        var written: Int32 = 0
        let isAuthentic =
            takeKey(&keys)
            && EVP_DecryptUpdate(
                pointer, nil, &written, bytes, Int32(RecordFormat.headerBytes)) == 1
            && EVP_DecryptUpdate(pointer, plain, &written, body, Int32(count)) == 1
            // Safe: the tag is only read.
            && EVP_CIPHER_CTX_ctrl(
                pointer, EVP_CTRL_AEAD_SET_TAG, Int32(RecordCipher.tagBytes),
                UnsafeMutableRawPointer(mutating: body + count)) == 1
            && EVP_DecryptFinal_ex(pointer, plain, &written) == 1
        if !isAuthentic { ERR_clear_error() }
        return isAuthentic
    }

    private func takeKey(_ keys: inout RecordKeys) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: 16, alignment: 8) { nonce in
            guard let nonce = nonce.baseAddress else { return false }
            keys.takeNonce(into: nonce)
            return EVP_CipherInit_ex(
                pointer, nil, nil, keys.key, nonce.assumingMemoryBound(to: UInt8.self), -1) == 1
        }
    }
}
