internal import DequeModule
internal import EventModel
internal import NIOCore
internal import OpenSSLBridge
internal import SessionProtocol

/// Appends what one session publishes, in the order it was sent.
///
/// A condition (`if_head`) is a question to the log first; what comes behind it waits, so that
/// nothing overtakes.
final class SessionPublisher {
    private let log: any EventLog
    private let createsTopics: Bool
    private let eventLoop: any EventLoop
    private let answer: (Int64, Result<AppendReceipt, BrokerError>) -> Void
    private var waiting = Deque<(request: PublishRequest, publisher: String)>()
    private var waitingBytes = 0
    private var isAsking = false
    /// Bytes of events that may wait behind a question; one event always may.
    private static let waitingBytesMax = 1 << 20

    /// Calls `answer` on the loop, once for each publish.
    init(
        log: any EventLog, createsTopics: Bool, eventLoop: any EventLoop,
        answer: @escaping (Int64, Result<AppendReceipt, BrokerError>) -> Void
    ) {
        self.log = log
        self.createsTopics = createsTopics
        self.eventLoop = eventLoop
        self.answer = answer
    }

    func publish(_ request: PublishRequest, by publisher: String) {
        let bytes = request.event.byteCount
        guard waiting.isEmpty || waitingBytes + bytes <= Self.waitingBytesMax else {
            let error = BrokerError(
                .publisherOverloaded,
                "\(waitingBytes) bytes of the session wait behind a condition.")
            return answer(request.id, .failure(error))
        }
        waiting.append((request, publisher))
        waitingBytes += bytes
        advance()
    }

    private func advance() {
        while !isAsking, let (request, publisher) = waiting.popFirst() {
            waitingBytes -= request.event.byteCount
            guard !request.topic.isReserved else {
                let error = BrokerError(
                    .forbidden, "Topics below 'sluice.' belong to the broker.",
                    remedy: "Publish to another topic.")
                answer(request.id, .failure(error))
                continue
            }
            if let cursor = request.ifHead {
                ask(request, cursor, publisher)
            } else {
                append(request, expected: nil, publisher)
            }
        }
    }

    /// A cursor of an earlier incarnation still matches if it would resume silently (doc:HTTP).
    private func ask(_ request: PublishRequest, _ cursor: Cursor, _ publisher: String) {
        isAsking = true
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        log.resume([request.topic: cursor]) { result in
            bound.eventLoop.execute {
                bound.value.asked(request, cursor, publisher, result.map { $0[request.topic] })
            }
        }
    }

    private func asked(
        _ request: PublishRequest, _ cursor: Cursor, _ publisher: String,
        _ result: Result<Resumption?, BrokerError>
    ) {
        isAsking = false
        switch result {
        case .success(.goesOn): append(request, expected: cursor, publisher)
        case .success(.reset):
            let error = BrokerError(
                .headMoved, "\(request.topic) has another history than the one of 'if_head'.")
            answer(request.id, .failure(error))
        case .success(nil):
            answer(
                request.id,
                .failure(BrokerError(.topicNotFound, "There is no topic \(request.topic).")))
        case .failure(let error): answer(request.id, .failure(error))
        }
        advance()
    }

    private func append(_ request: PublishRequest, expected: Cursor?, _ publisher: String) {
        let part = AppendRequest.Part(
            topic: request.topic, events: [request.event], expectedHead: expected?.offset,
            expectedEpoch: expected?.epoch,
            idempotency: IdempotencyKey(event: request.event, sha256: Digest.sha256))
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let id = request.id
        log.append(
            AppendRequest(parts: [part], createsTopics: createsTopics, publisher: publisher)
        ) { result in
            bound.eventLoop.execute {
                bound.value.answer(id, result.flatMap(Self.onlyReceipt))
            }
        }
    }

    private static func onlyReceipt(
        _ receipts: [AppendReceipt]
    ) -> Result<AppendReceipt, BrokerError> {
        guard let receipt = receipts.first else {
            preconditionFailure("bug: an append of one part was answered without a receipt")
        }
        return .success(receipt)
    }
}

@available(*, unavailable) extension SessionPublisher: Sendable {}
