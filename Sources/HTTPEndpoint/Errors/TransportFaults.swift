internal import EventModel
internal import Transport

extension HTTPFault {
    /// The fault in the words of the catalogue; the answer keeps the fault's own status.
    var error: BrokerError {
        switch self {
        case .badRequest: BrokerError(.invalidRequest, message)
        case .headersTooLarge: BrokerError(.headersTooLarge, message)
        case .uriTooLong:
            BrokerError(.headersTooLarge, message, remedy: "Shorten the path or the query.")
        case .bodyTooLarge: BrokerError(.bodyTooLarge, message)
        case .bodiesTooLarge: BrokerError(.rateLimited, message)
        case .requestTimeout: BrokerError(.requestTimeout, message)
        case .expectationFailed:
            BrokerError(.invalidRequest, message, remedy: "Send no other Expect header.")
        case .versionNotSupported:
            BrokerError(.invalidRequest, message, remedy: "Use HTTP/1.1.")
        case .unanswered: BrokerError(.internal, message)
        }
    }
}
