internal import CAllocationCount
internal import EventModel
internal import MemoryLog
internal import Publishing
internal import SessionProtocol

/// Allocations from a publish that came in a session to its hand-over to the log.
struct PublishAllocations {
    private static let publishes: Int64 = 2000

    /// For one publish, without what the log in memory allocates itself.
    func perPublish() throws -> Double {
        let all = try allocations { log, conversation, id in
            let text = #"{"type":"publish","id":\#(id),"topic":"orders","data":{"price":101}}"#
            let bytes = Array(text.utf8)
            let now = Moment(instant: .now, time: Timestamp(microseconds: id))
            return {
                var actions: [SessionConversation.Action] = []
                conversation.messageReceived(bytes, now: now, into: &actions)
                guard case .publish(let message)? = actions.first else {
                    preconditionFailure("bug: a publish was not taken")
                }
                let publisher = Publisher(log: log, createsTopics: true, sha256: { $0 })
                publisher.publish(
                    PublishRequest(.toOne(message.topic, [message.event])), by: nil
                ) { _ in }
            }
        }
        let ofLog = try allocations { log, _, _ in
            let topic = try TopicName("orders")
            let request = AppendRequest(
                parts: [
                    .init(topic: topic, events: [NewEvent(data: Array(#"{"price":101}"#.utf8))])
                ])
            return { log.append(request) { _ in } }
        }
        return Double(all - ofLog) / Double(Self.publishes)
    }

    private func allocations(
        _ make: (MemoryLog, Conversation, Int64) throws -> () -> Void
    ) throws -> Int {
        let log = MemoryLog()
        log.start(sink: NoSink())
        let conversation = Conversation()
        var count = 0
        for id in 1...Self.publishes {
            let publish = try make(log, conversation, id)
            let before = allocation_count()
            publish()
            count += Int(allocation_count() - before)
            // Its answer, so that the session takes more.
            conversation.answered(id)
            log.flush()
        }
        return count
    }
}

/// A session that has begun.
private final class Conversation {
    private var state = SessionConversation(
        terms: SessionTerms(node: "n1", version: "1"), session: "s_1", requiresAuth: false)

    init() {
        var actions: [SessionConversation.Action] = []
        state.start(
            now: Moment(instant: .now, time: Timestamp(microseconds: 0)), into: &actions)
    }

    func messageReceived(
        _ bytes: [UInt8], now: Moment, into actions: inout [SessionConversation.Action]
    ) {
        state.messageReceived(bytes, now: now, into: &actions)
    }

    func answered(_ id: Int64) {
        var actions: [SessionConversation.Action] = []
        state.publishRefused(
            id: id, BrokerError(.rateLimited, ""),
            now: Moment(instant: .now, time: Timestamp(microseconds: 0)), into: &actions)
    }
}

private final class NoSink: LogSink {
    func appended(_ events: [Event], to position: TopicPosition) {}
    func created(_ topics: [TopicName]) {}
    func deleted(_ topic: TopicName, at position: TopicPosition?) {}
    func purged(_ topic: TopicName, earliest: Offset, at position: TopicPosition?) {}
    func restarted(_ position: TopicPosition, fork: Offset, from old: TopicPosition) {}
}
