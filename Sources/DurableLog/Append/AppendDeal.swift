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

    /// One a request, in their order.
    package private(set) var outcomes: [Outcome] = []
    /// One a topic that got events.
    package private(set) var appended: [Appended] = []

    private var next: [Int32: Offset] = [:]
    private var times: [Int32: Timestamp] = [:]
    private var indexes: [Int32: Int] = [:]
    private var lastGuard: Int32 = 0

    /// Deals the offsets in the order of the batch, skipping the guards that were not appended.
    package init(_ batch: AppendBatch, _ answer: AppendAnswer) {
        for part in answer.parts {
            next[part.topicID] = part.first
            times[part.topicID] = part.time ?? answer.time
            indexes[part.topicID] = appended.count
            appended.append(Appended(topicID: part.topicID, events: []))
            appended[appended.count - 1].events.reserveCapacity(Int(part.last - part.first + 1))
        }
        for pending in batch.requests {
            outcomes.append(outcome(of: pending.request, batch, answer))
        }
    }

    private mutating func outcome(
        of request: AppendRequest, _ batch: AppendBatch, _ answer: AppendAnswer
    ) -> Outcome {
        let isGuarded = AppendBatch.isGuarded(request)
        var receipts: [AppendReceipt] = []
        var failure: Outcome?
        for part in request.parts {
            if isGuarded { lastGuard += 1 }
            let epoch = batch.epoch(of: part.topic)
            switch isGuarded ? answer.others[lastGuard] : nil {
            case .repeated(let first, let last, let time):
                receipts.append(
                    AppendReceipt(
                        topic: part.topic, epoch: epoch, first: first, last: last, time: time,
                        isRepeat: true))
            case nil:
                if let receipt = deal(part, batch.topicID(of: part.topic), epoch) {
                    receipts.append(receipt)
                } else {
                    failure = failure ?? .unknownTopic(part.topic)
                }
            case .unknownTopic: failure = failure ?? .unknownTopic(part.topic)
            case .keyConflict: failure = failure ?? .failed(Self.keyConflict(part))
            case .headMoved(let head):
                failure = failure ?? .failed(Self.headMoved(part, epoch, head))
            case .refused: break
            }
        }
        return failure ?? .appended(receipts)
    }

    private mutating func deal(
        _ part: AppendRequest.Part, _ topicID: Int32, _ epoch: Epoch
    ) -> AppendReceipt? {
        guard let first = next[topicID], let time = times[topicID], let index = indexes[topicID]
        else { return nil }
        var offset = first
        for event in part.events {
            appended[index].events.append(Event(offset: offset, time: time, content: event))
            offset += 1
        }
        next[topicID] = offset
        return AppendReceipt(
            topic: part.topic, epoch: epoch, first: first, last: offset - 1, time: time,
            isRepeat: false)
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
