import EventModel

/// The events that a client said it is ready to take of one subscription, from its first on.
///
/// Whoever delivers counts down what is left of them; it is never more than this, so no sum can
/// overflow there.
struct GrantedCredit: Sendable {
    /// `nil`: The subscription does not use credit.
    private var total: Int64?

    /// `first` is what its subscribe, or the stream's query, said.
    init(_ first: Int64?) { total = first }

    /// - Throws: `invalid_request` where no credit is used, or when the sum is over 2^53 - 1.
    mutating func add(_ events: Int64) throws(BrokerError) {
        guard let total else {
            throw BrokerError(
                .invalidRequest, "Nothing waits for credit here: it began without 'credit'.",
                remedy: "Begin with 'credit', of which 0 pauses.", at: InputPlace(field: "events"))
        }
        guard events <= Limits.integerMax - total else {
            throw BrokerError(
                .invalidRequest, "'events' adds up to a credit of over \(Limits.integerMax).",
                remedy: "Grant what can be taken soon, and more when it was taken.",
                at: InputPlace(field: "events"))
        }
        self.total = total + events
    }
}
