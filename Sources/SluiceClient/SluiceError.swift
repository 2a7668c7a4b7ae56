package import EventModel

/// Why something did not happen, and what to do about it.
public struct SluiceError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What kind of failure it is; scripts and retries depend on it.
    public enum Kind: Sendable {
        /// The broker was not reached, or the connection broke before its answer.
        case unreachable
        /// The broker answered that this is not allowed, in conflict or not there.
        case refused
        /// The request itself is wrong.
        case invalid
        /// Anything else, at either side.
        case failed
    }

    /// What kind of failure it is.
    public var kind: Kind
    /// The stable code of doc:HTTP, or `unreachable`.
    public var code: String
    /// What happened.
    public var message: String
    /// What to do.
    public var remedy: String
    /// When the same request may succeed; `nil` if trying again cannot help.
    public var retryAfter: Duration?
    /// The byte of the filter, or else of the request, at which it goes wrong, counted from 0;
    /// `nil` if that is not known.
    public var byte: Int?

    /// Makes an error.
    public init(
        _ kind: Kind, code: String, _ message: String, remedy: String, retryAfter: Duration? = nil,
        byte: Int? = nil
    ) {
        self.kind = kind
        self.code = code
        self.message = message
        self.remedy = remedy
        self.retryAfter = retryAfter
        self.byte = byte
    }

    /// One line with all of it.
    public var description: String { "\(code): \(message) \(remedy)" }
}

extension SluiceError {
    /// The kind that a code of the catalogue belongs to; `failed` for unknown ones.
    static func kind(of code: String) -> Kind {
        guard let known = ErrorCode(rawValue: code) else { return .failed }
        switch known {
        case .unauthorized, .forbidden, .originRefused, .notFound, .topicNotFound, .topicExists,
            .overlap, .offsetExpired, .headMoved, .revisionMoved, .idempotencyConflict,
            .grantRevoked:
            return .refused
        case .invalidJSON, .invalidUTF8, .invalidTopic, .invalidPattern, .invalidStart,
            .invalidFilter, .invalidRequest, .unknownField, .ephemeralTopic:
            return .invalid
        default:
            return .failed
        }
    }

    /// The broker's error, or one of the same rules applied before anything is sent.
    package init(_ error: BrokerError) {
        self.init(
            Self.kind(of: error.code.rawValue), code: error.code.rawValue, error.message,
            remedy: error.remedy, retryAfter: error.retryAfter, byte: error.at?.byte)
    }

    /// No connection, or one that broke; the same request may be sent again.
    static func unreachable(_ address: BrokerAddress, _ why: String) -> SluiceError {
        SluiceError(
            .unreachable, code: "unreachable", "The broker at \(address) can't be reached: \(why).",
            remedy: "Check that 'sluice serve' runs there, and the address.",
            retryAfter: .zero)
    }

    /// An answer that is none of this protocol's.
    static func notSluice(_ address: BrokerAddress, _ what: String) -> SluiceError {
        SluiceError(
            .failed, code: "invalid_answer", "\(address) did not answer as Sluice does: \(what).",
            remedy: "Check the address, and what stands between you and the broker.")
    }
}
