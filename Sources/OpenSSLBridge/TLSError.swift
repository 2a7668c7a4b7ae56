internal import COpenSSL

/// Why TLS, a certificate or a key did not work, in words for the person who has to mend it.
package struct TLSError: Error, Equatable, CustomStringConvertible {
    /// What kind of fault it is, for code that must tell them apart.
    package enum Code: Sendable, Equatable {
        /// A certificate or key file is missing, unreadable, or not in PEM format.
        case file
        /// The private key does not belong to the certificate.
        case keyMismatch
        /// A certificate's validity has ended or not yet begun.
        case expired
        /// The peer's certificate is not trusted or names another host. Retrying does not help.
        case verification
        /// The peer broke the protocol, or there is no common version or cipher.
        case handshake
        /// The connection is not usable any more.
        case closed
        /// OpenSSL refused something that should work, memory for instance.
        case library
    }

    package let code: Code
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }

    /// Makes an error of the oldest entry of OpenSSL's error queue of this thread, and empties it.
    ///
    /// The queue must not outlive the failed call: a stale entry would be taken for the next one's.
    static func fromQueue(_ code: Code, _ what: String) -> TLSError {
        let entry = ERR_get_error()
        ERR_clear_error()
        guard entry != 0 else { return TLSError(code, what) }
        let reason = ERR_reason_error_string(entry).map { String(cString: $0) }
        return TLSError(code, "\(what): \(reason ?? "OpenSSL error \(entry)")")
    }
}
