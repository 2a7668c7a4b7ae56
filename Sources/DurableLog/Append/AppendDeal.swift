package import EventModel

/// What a batch's answer means for each request, and which events are in the log now.
package struct AppendDeal: Sendable {
    package enum Outcome: Sendable {
        case appended([AppendReceipt])
        case failed(BrokerError)
        /// A topic is gone, and the request was not appended; its name may have another id by now.
        case unknownTopic(TopicName)
    }

    /// Events of one topic that the batch appended: dense, from the first offset on.
    package struct Appended: Sendable {
        package var topicID: Int32
        package var events: [Event]
    }

    /// A topic of the batch that got events, while they are dealt.
    private struct Dealt {
        var next: Offset
        var time: Timestamp
        var epoch: Epoch
        /// In `appended`.
        var place: Int
    }

    /// One a request, in their order.
    package private(set) var outcomes: [Outcome] = []
    /// One a topic that got events.
    package private(set) var appended: [Appended] = []
    /// Topics that are not in the log, by the ids that the batch had for them.
    package private(set) var unknown: [(name: TopicName, id: Int32)] = []

    /// By the index of the topic in the batch.
    private var dealt: [Dealt?]
    private var partNumber = 0
    private var lastGuard: Int32 = 0

    /// Deals the offsets in the order of the batch, skipping the guards that were not appended.
    package init(_ batch: AppendBatch, _ answer: AppendAnswer) {
        dealt = Array(repeating: nil, count: batch.topicIDs.count)
        appended.reserveCapacity(answer.parts.count)
        for part in answer.parts {
            // What is of no topic of the batch is nobody's.
            guard let topic = batch.topicIndex(of: part.topicID) else { continue }
            dealt[topic] = Dealt(
                next: part.first, time: part.time ?? answer.time,
                epoch: Epoch(incarnation: batch.incarnation, topicID: part.topicID),
                place: appended.count)
            appended.append(Appended(topicID: part.topicID, events: []))
            appended[appended.count - 1].events.reserveCapacity(Int(part.last - part.first + 1))
        }
        outcomes.reserveCapacity(batch.requests.count)
        for index in batch.requests.indices {
            let parts = batch.requests[index].parts
            outcomes.append(outcome(of: parts, batch, answer))
        }
    }

    private mutating func outcome(
        of parts: [AppendRequest.Part], _ batch: AppendBatch, _ answer: AppendAnswer
    ) -> Outcome {
        let isGuarded = AppendBatch.isGuarded(parts)
        var receipts: [AppendReceipt] = []
        receipts.reserveCapacity(parts.count)
        var failure: Outcome?
        for index in parts.indices {
            let topic = batch.topicOfPart[partNumber]
            partNumber += 1
            if isGuarded { lastGuard += 1 }
            switch isGuarded ? answer.others[lastGuard] : nil {
            case .repeated(let first, let last, let time):
                receipts.append(
                    AppendReceipt(
                        topic: parts[index].topic, epoch: epoch(topic, batch), first: first,
                        last: last, time: time, isRepeat: true))
            case nil:
                if let receipt = deal(parts[index], topic) {
                    receipts.append(receipt)
                } else {
                    failure = failure ?? unknownTopic(parts[index].topic, topic, batch)
                }
            case .unknownTopic:
                failure = failure ?? unknownTopic(parts[index].topic, topic, batch)
            case .keyConflict: failure = failure ?? .failed(Self.keyConflict(parts[index]))
            case .headMoved(let head):
                let error = Self.headMoved(parts[index], epoch(topic, batch), head)
                failure = failure ?? .failed(error)
            case .refused: break
            }
        }
        return failure ?? .appended(receipts)
    }

    private func epoch(_ topic: Int, _ batch: AppendBatch) -> Epoch {
        dealt[topic]?.epoch
            ?? Epoch(incarnation: batch.incarnation, topicID: batch.topicIDs[topic])
    }

    private mutating func unknownTopic(
        _ name: TopicName, _ topic: Int, _ batch: AppendBatch
    ) -> Outcome {
        unknown.append((name, batch.topicIDs[topic]))
        return .unknownTopic(name)
    }

    private mutating func deal(
        _ part: AppendRequest.Part, _ topic: Int
    ) -> AppendReceipt? {
        guard let known = dealt[topic] else { return nil }
        var offset = known.next
        for place in part.events.indices {
            appended[known.place].events.append(
                Event(offset: offset, time: known.time, content: part.events[place]))
            offset += 1
        }
        dealt[topic]?.next = offset
        return AppendReceipt(
            topic: part.topic, epoch: known.epoch, first: known.next, last: offset - 1,
            time: known.time, isRepeat: false)
    }

    private static func keyConflict(_ part: AppendRequest.Part) -> BrokerError {
        // The text begins with the prefix of the key's scope.
        let key = part.idempotency.map { quoted($0.text.dropFirst(2)) } ?? ""
        return BrokerError(
            .idempotencyConflict,
            "Key \(key) of topic \(part.topic) was used with another body before.")
    }

    private static func headMoved(
        _ part: AppendRequest.Part, _ epoch: Epoch, _ head: Offset
    ) -> BrokerError {
        var error = BrokerError(
            .headMoved,
            "The head of topic \(part.topic) is \(head), not \(part.expectedHead ?? 0).")
        error.head = Cursor(epoch: epoch, offset: head)
        return error
    }
}
