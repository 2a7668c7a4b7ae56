// What an ephemeral topic refuses, because it has no log (doc:HTTP, "Ephemeral topics").

extension AppendRequest {
    /// Why an ephemeral topic does not take the request; `nil` if it does.
    ///
    /// A key or a head would have to be compared with a log. Ids of single events are no obstacle:
    /// they are only passed on.
    package func refusal(ofEphemeral topic: TopicName) -> BrokerError? {
        if parts.contains(where: { $0.topic != topic }) {
            return refusal(
                of: topic, "is published to alone: no commit binds it to other topics",
                remedy: "Publish to it in a request of its own.")
        }
        if parts.contains(where: { $0.idempotency.map { !$0.isOfEvent } ?? false }) {
            return refusal(
                of: topic, "remembers no keys", remedy: "Publish to it without Idempotency-Key.")
        }
        if parts.contains(where: { $0.expectedHead != nil }) {
            return refusal(
                of: topic, "takes no condition on its head",
                remedy: "Publish to it without If-Match, If-None-Match and if_head.")
        }
        return nil
    }

    private func refusal(of topic: TopicName, _ what: String, remedy: String) -> BrokerError {
        BrokerError(
            .ephemeralTopic, "Topic \(topic) is ephemeral and \(what).",
            remedy: remedy + " A durable topic takes it.")
    }
}

extension StartPosition {
    /// Whether it is a place in a log; the others are the present, or what a client has seen.
    private var needsLog: Bool {
        switch self {
        case .earliest, .last, .offset, .time, .ago: true
        case .latest, .after, .mark: false
        }
    }

    /// Checks a start that was asked for of this very topic; a pattern's topics without a log begin
    /// at their heads.
    ///
    /// - Throws: `ephemeral_topic`.
    package func checkFits(_ position: TopicPosition) throws(BrokerError) {
        guard position.isEphemeral, needsLog else { return }
        throw BrokerError(
            .ephemeralTopic,
            "Topic \(position.topic) is ephemeral: it has no log to start at \(quoted(text)) in.")
    }
}
