/// Why a connection is closed, and what the client should do (doc:Session).
package enum CloseCode: UInt16, CaseIterable, Sendable {
    // RFC 6455 7.4.1.
    case normal = 1000
    case goingAway = 1001
    case protocolError = 1002
    case unsupportedData = 1003
    case invalidPayload = 1007
    case messageTooBig = 1009
    case internalError = 1011
    case serviceRestart = 1012
    case tryAgainLater = 1013
    // Reconnect with backoff and the same cursors.
    case drain = 4001
    case noPong = 4002
    case `internal` = 4003
    case overflow = 4008
    case rateLimited = 4009
    case brokerFull = 4010
    // Get new credentials first.
    case tokenExpired = 4200
    case tokenRevoked = 4201
    case unauthorized = 4202
    case authTimeout = 4203
    // Stop and tell the developer.
    case protocolMisuse = 4500
    case originRefused = 4501
    case tooManyErrors = 4502
    case endedByOperator = 4503
    case gap = 4504

    /// The reason in the close frame.
    package var name: String {
        switch self {
        case .normal: "normal"
        case .goingAway: "going_away"
        case .protocolError: "protocol_error"
        case .unsupportedData: "unsupported_data"
        case .invalidPayload: "invalid_payload"
        case .messageTooBig: "message_too_big"
        case .internalError: "internal_error"
        case .serviceRestart: "service_restart"
        case .tryAgainLater: "try_again_later"
        case .drain: "drain"
        case .noPong: "no_pong"
        case .internal: "internal"
        case .overflow: "overflow"
        case .rateLimited: "rate_limited"
        case .brokerFull: "broker_full"
        case .tokenExpired: "token_expired"
        case .tokenRevoked: "token_revoked"
        case .unauthorized: "unauthorized"
        case .authTimeout: "auth_timeout"
        case .protocolMisuse: "protocol_misuse"
        case .originRefused: "origin_refused"
        case .tooManyErrors: "too_many_errors"
        case .endedByOperator: "ended_by_operator"
        case .gap: "gap"
        }
    }

    package var disposition: Disposition { Disposition(closeCode: rawValue) }

    /// What a client does after a close.
    package enum Disposition: Sendable {
        /// Connect again, with backoff and the same cursors.
        case reconnect
        /// Get new credentials, then connect again.
        case newCredentials
        /// Trying again can't help: tell the developer.
        case stop

        /// Of any code, also of one that is newer than this program: unknown ones follow their
        /// range.
        ///
        /// - Parameter closeCode: `nil` if the connection broke without one (1005, 1006).
        package init(closeCode: UInt16?) {
            switch closeCode {
            case nil, .some(1001), .some(1005), .some(1006), .some(1011...1013), .some(4000...4199):
                self = .reconnect
            case .some(4200...4499): self = .newCredentials
            case .some: self = .stop
            }
        }
    }
}
