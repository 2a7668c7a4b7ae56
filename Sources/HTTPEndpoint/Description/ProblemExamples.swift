package import EventModel

extension ProblemDocument {
    /// A problem of each code, with the members that belong to it.
    package static func example(of code: ErrorCode) -> ProblemDocument {
        var error = BrokerError(code, "\(code.title).")
        switch code {
        case .invalidJSON: error.at = InputPlace(byte: 17, line: 2, field: "data")
        case .unknownField: error.at = InputPlace(byte: 1, field: "colour")
        case .headMoved: error.head = Cursor("k3f9-42")
        case .outcomeUnknown: error.committed = .unknown
        case .publisherOverloaded, .idempotencyConflict: error.committed = .no
        default: break
        }
        return ProblemDocument(error, requestID: "r_2k9d8f7h3j1m0")
    }
}
