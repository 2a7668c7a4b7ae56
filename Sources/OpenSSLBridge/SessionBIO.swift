internal import COpenSSL

/// The BIO between OpenSSL and a `TLSSession`: it writes to the session's output at once and reads
/// what `receive` borrowed.
///
/// See BIO_meth_new(3). It never asks OpenSSL to retry a write: backpressure is the output's.
enum SessionBIO {
    // Safe: made once, under the lock of a global's initialisation, and never changed.
    nonisolated(unsafe) private static let method: OpaquePointer? = {
        guard let method = BIO_meth_new(sluice_bio_type(), "sluice session") else { return nil }
        BIO_meth_set_write(method) { bio, bytes, count in
            guard let session = SessionBIO.session(of: bio), let bytes, count > 0 else { return -1 }
            sluice_bio_clear_retry(bio)
            session._withUnsafeGuaranteedRef {
                $0.output.write(UnsafeRawBufferPointer(start: bytes, count: Int(count)))
            }
            return count
        }
        BIO_meth_set_read(method) { bio, bytes, count in
            guard let session = SessionBIO.session(of: bio), let bytes, count > 0 else { return -1 }
            sluice_bio_clear_retry(bio)
            let space = UnsafeMutableRawBufferPointer(start: bytes, count: Int(count))
            let taken = session._withUnsafeGuaranteedRef { $0.takeInput(into: space) }
            if taken == 0 {
                sluice_bio_set_retry_read(bio)
                return -1
            }
            return Int32(taken)
        }
        BIO_meth_set_ctrl(method) { _, command, _, _ in
            command == BIO_CTRL_FLUSH || command == BIO_CTRL_PUSH || command == BIO_CTRL_POP ? 1 : 0
        }
        BIO_meth_set_create(method) { bio in
            BIO_set_init(bio, 1)
            return 1
        }
        return method
    }()

    /// Makes a BIO without a session; the caller owns it.
    static func make() -> OpaquePointer? { method.flatMap { BIO_new($0) } }

    /// The session whose BIO this is.
    static func session(of bio: OpaquePointer?) -> Unmanaged<TLSSession>? {
        BIO_get_data(bio).map { Unmanaged.fromOpaque($0) }
    }
}
