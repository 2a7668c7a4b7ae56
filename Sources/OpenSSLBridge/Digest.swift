internal import COpenSSL

/// Digests of bytes.
package enum Digest {
    /// SHA-1 (20 bytes): for RFC 6455's handshake only, not for anything that must be safe.
    package static func sha1(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        digest(bytes, count: 20) { SHA1($0, $1, $2) }
    }

    /// SHA-256 (32 bytes).
    package static func sha256(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        digest(bytes, count: 32) { SHA256($0, $1, $2) }
    }

    private static func digest(
        _ bytes: some Sequence<UInt8>, count: Int,
        _ make: (UnsafePointer<UInt8>?, Int, UnsafeMutablePointer<UInt8>?) ->
            UnsafeMutablePointer<UInt8>?
    ) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: count)
        let isDone: Bool? = bytes.withContiguousStorageIfAvailable {
            make($0.baseAddress, $0.count, &result) != nil
        }
        if isDone == nil {
            let copy = Array(bytes)
            _ = make(copy, copy.count, &result)
        }
        return result
    }
}

/// Bytes from OpenSSL's generator, good enough for keys and tokens.
package func randomBytes(_ count: Int) -> [UInt8] {
    precondition(count >= 0, "bug: \(count) random bytes asked for")
    var bytes = [UInt8](repeating: 0, count: count)
    let isRandom = count == 0 || RAND_bytes(&bytes, Int32(count)) == 1
    // There is no safe way on without randomness: keys would be guessable.
    precondition(isRandom, "OpenSSL's random generator failed")
    return bytes
}
