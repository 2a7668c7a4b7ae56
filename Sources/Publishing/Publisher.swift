package import EventModel

/// Makes digests; OpenSSL's in the broker.
package typealias SHA256 = @Sendable ([UInt8]) -> [UInt8]

/// How a publish is answered: once, on any thread.
package typealias PublishCompletion = @Sendable (Result<PublishAnswer, BrokerError>) -> Void

/// What was sent becomes an append, and what became of that an answer; the same for every way in.
///
/// It asks whether the sender may publish, what the request's idempotency is and what its condition
/// means. Order is the log's: what one thread hands over to one topic is appended in the order of
/// the calls, also when a condition has to be asked of the database first; so nothing waits here.
package struct Publisher: Sendable {
    /// How a request is handed to the log (`EventLog.append`).
    package typealias Append = @Sendable (AppendRequest, @escaping AppendCompletion) -> Void

    private let append: Append
    private let createsTopics: Bool
    private let sha256: SHA256

    /// `createsTopics`: Whether a publish may create its topic.
    package init(
        createsTopics: Bool, sha256: @escaping SHA256, append: @escaping Append
    ) {
        self.append = append
        self.createsTopics = createsTopics
        self.sha256 = sha256
    }

    /// Hands each request to the log by itself.
    package init(log: any EventLog, createsTopics: Bool, sha256: @escaping SHA256) {
        self.init(createsTopics: createsTopics, sha256: sha256) { log.append($0, completion: $1) }
    }

    /// Appends the request's events; `identity` is `nil` without access control.
    ///
    /// Refusals say in `committed` whether the events are in the log, and `head_moved` where the
    /// head is, unless there is no such topic. Errors: those of `EventLog.append`; `forbidden`,
    /// `idempotency_conflict` (do not retry).
    package func publish(
        _ request: PublishRequest, by identity: Identity?, completion: @escaping PublishCompletion
    ) {
        let plan: PublishPlan
        do throws(BrokerError) {
            plan = try PublishPlan(
                request, by: identity, createsTopics: createsTopics, sha256: sha256)
        } catch {
            return completion(.failure(error.ofPublish))
        }
        let places = plan.places
        let expectsTopic = plan.expectsTopic
        append(plan.append) { result in
            switch result {
            case .success(let receipts):
                completion(.success(PublishAnswer(receipts: receipts, places: places)))
            case .failure(let error):
                completion(.failure(Self.refusal(error, expectsTopic: expectsTopic)))
            }
        }
    }

    /// A head of a topic that does not exist is not where somebody expects it.
    private static func refusal(_ error: BrokerError, expectsTopic: Bool) -> BrokerError {
        guard expectsTopic, error.code == .topicNotFound else { return error.ofPublish }
        return BrokerError(.headMoved, error.message).ofPublish
    }
}
