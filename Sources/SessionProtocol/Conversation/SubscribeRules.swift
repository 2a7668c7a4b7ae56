import EventModel

extension SubscribeRequest {
    /// What must hold between the fields, and what this version does not do yet.
    ///
    /// - Throws: `invalid_start` or `invalid_request`, which names the field.
    func check(_ limits: Limits) throws(BrokerError) {
        if from.fitsOneTopicOnly, patterns.count != 1 || patterns[0].exactName == nil {
            throw BrokerError(
                .invalidStart, "\(quoted(from.text)) fits one exact topic only.",
                remedy: "Name one topic without wildcards, or give 'cursors' topic by topic.",
                at: InputPlace(field: "from"))
        }
        let names = Set(patterns.compactMap(\.exactName))
        let wildcards = patterns.filter { $0.exactName == nil }
        guard wildcards.count <= limits.wildcardsMax else {
            throw BrokerError(
                .invalidRequest,
                "'topics' has over \(limits.wildcardsMax) patterns with wildcards.",
                at: InputPlace(field: "topics"))
        }
        let index = PatternIndex(cursors.isEmpty ? [] : wildcards.map { ($0, id) })
        let strangers = cursors.keys.filter { topic in
            !names.contains(topic) && index.match(topic) == nil
        }
        if let stranger = strangers.min(by: { $0.text < $1.text }) {
            throw BrokerError(
                .invalidRequest,
                "'cursors' has \(quoted(stranger.text)), which is outside the subscription.",
                remedy: "Send cursors of the subscription's own topics only.",
                at: InputPlace(field: "cursors"))
        }
        if let overflow { try OfferedFeatures.check(overflow) }
        if credit != nil { throw OfferedFeatures.missing("credit") }
        if filter != nil { throw OfferedFeatures.missing("filter") }
    }
}

/// What the protocol has and this version does not do yet: refused, so that nobody relies on it in
/// vain.
enum OfferedFeatures {
    static func check(_ overflow: OverflowPolicy) throws(BrokerError) {
        guard overflow == .replay else {
            throw BrokerError(
                .invalidRequest,
                "This version does not offer overflow \(quoted(overflow.rawValue)) yet.",
                remedy: "Use 'replay', or leave 'overflow' out.", at: InputPlace(field: "overflow"))
        }
    }

    static func missing(_ field: String) -> BrokerError {
        BrokerError(
            .invalidRequest, "This version does not offer \(quoted(field)) yet.",
            remedy: "Leave it out.", at: InputPlace(field: field))
    }
}
