import EventModel

/// What of the protocol a broker does; the rest it refuses, so that nobody relies on it in vain.
package struct OfferedFeatures: OptionSet, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Every overflow policy, not `replay` alone.
    package static let policies = OfferedFeatures(rawValue: 1)
    package static let maxRate = OfferedFeatures(rawValue: 2)
    package static let credit = OfferedFeatures(rawValue: 4)
    package static let filters = OfferedFeatures(rawValue: 8)
    package static let all: OfferedFeatures = [.policies, .maxRate, .credit, .filters]

    /// What this version offers.
    package static let present: OfferedFeatures = []

    /// - Throws: `invalid_request`, which names the first option that is not offered.
    func check(_ options: SubscriptionOptions) throws(BrokerError) {
        if let overflow = options.overflow, overflow != .replay, !contains(.policies) {
            throw BrokerError(
                .invalidRequest,
                "This version does not offer overflow \(quoted(overflow.rawValue)) yet.",
                remedy: "Use 'replay', or leave 'overflow' out.", at: InputPlace(field: "overflow"))
        }
        if options.maxRate != nil, !contains(.maxRate) { throw Self.missing("max_rate") }
        if options.credit != nil, !contains(.credit) { throw Self.missing("credit") }
    }

    /// - Throws: `invalid_request`, which names the first change that is not offered.
    func check(_ changes: SubscriptionChanges) throws(BrokerError) {
        if changes.maxRate != nil, !contains(.maxRate) { throw Self.missing("max_rate") }
        if changes.filter != nil, !contains(.filters) { throw Self.missing("filter") }
    }

    static func missing(_ field: String) -> BrokerError {
        BrokerError(
            .invalidRequest, "This version does not offer \(quoted(field)) yet.",
            remedy: "Leave it out.", at: InputPlace(field: field))
    }
}
