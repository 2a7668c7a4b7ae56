import EventModel

extension SubscribeRequest {
    /// What must hold between the fields; they may have other names elsewhere.
    ///
    /// - Throws: `invalid_start` or `invalid_request`, which names the field.
    func check(
        _ limits: Limits, topics: String = "topics", cursors cursorsField: String = "cursors"
    ) throws(BrokerError) {
        if from.fitsOneTopicOnly, patterns.count != 1 || patterns[0].exactName == nil {
            throw BrokerError(
                .invalidStart, "\(quoted(from.text)) fits one exact topic only.",
                remedy: "Name one topic without wildcards, or give "
                    + "'\(cursorsField)' topic by topic.",
                at: InputPlace(field: "from"))
        }
        let names = Set(patterns.compactMap(\.exactName))
        let wildcards = patterns.filter { $0.exactName == nil }
        guard wildcards.count <= limits.wildcardsMax else {
            throw BrokerError(
                .invalidRequest,
                "'\(topics)' has over \(limits.wildcardsMax) patterns with wildcards.",
                at: InputPlace(field: topics))
        }
        let index = PatternIndex(cursors.isEmpty ? [] : wildcards.map { ($0, id) })
        let strangers = cursors.keys.filter { topic in
            !names.contains(topic) && index.match(topic) == nil
        }
        if let stranger = strangers.min(by: { $0.text < $1.text }) {
            throw BrokerError(
                .invalidRequest,
                "'\(cursorsField)' has \(quoted(stranger.text)), which is outside the subscription.",
                remedy: "Send cursors of the subscription's own topics only.",
                at: InputPlace(field: cursorsField))
        }
    }
}
