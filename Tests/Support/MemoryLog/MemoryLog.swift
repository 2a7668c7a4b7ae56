import Dispatch
package import EventModel
import Synchronization

/// An event log in memory, with the semantics of the durable one, for tests of what is built on
/// logs.
///
/// State changes in the order of the calls; completions and the sink are called on one queue, in
/// the order of the changes.
package final class MemoryLog: EventLog {
    struct State {
        var sink: (any LogSink)?
        var isAvailable = true
        var incarnations = ["memory0001"]
        var topics: [TopicName: MemoryTopic] = [:]
        var followed: Set<TopicName> = []
        var patterns: Set<TopicPattern> = []
        var lastID: Int32 = 0
        var incarnation: String { incarnations[incarnations.count - 1] }

        func isFollowed(_ name: TopicName) -> Bool {
            followed.contains(name) || patterns.contains { $0.matches(name) }
        }

        /// Up to where the sink was told.
        func told(_ name: TopicName) -> TopicPosition? {
            isFollowed(name) ? topics[name]?.position(of: name, in: incarnation) : nil
        }
    }

    let state = Mutex(State())
    let queue = DispatchQueue(label: "memory-log")
    let createsTopics: Bool
    private let now: @Sendable () -> Timestamp
    /// Not before `now` of what was appended, and not after `now` of what comes.
    let markTime: @Sendable () -> Timestamp

    /// `now`: The clock; by default each append is a millisecond later than the one before.
    package init(createsTopics: Bool = true, now: (@Sendable () -> Timestamp)? = nil) {
        self.createsTopics = createsTopics
        let steps = Steps()
        self.now = now ?? { steps.next() }
        markTime = now ?? { steps.between }
    }

    package func start(sink: any LogSink) { state.withLock { $0.sink = sink } }

    /// Returns when everything that was done before has been told.
    package func flush() { queue.sync {} }

    package func overflow(of topic: TopicName) -> OverflowPolicy? {
        state.withLock { $0.topics[topic]?.settings.overflow }
    }

    // MARK: Append

    package func append(_ request: AppendRequest, completion: @escaping AppendCompletion) {
        state.withLock { state in
            guard state.isAvailable else { return fail(completion, Self.unavailable) }
            do throws(BrokerError) {
                try create(request, &state)
                let receipts = try appendAll(request, &state)
                queue.async { completion(.success(receipts)) }
            } catch {
                fail(completion, error)
            }
        }
    }

    private func fail(_ completion: @escaping AppendCompletion, _ error: BrokerError) {
        queue.async { completion(.failure(error.ofPublish)) }
    }

    private func create(_ request: AppendRequest, _ state: inout State) throws(BrokerError) {
        for part in request.parts where state.topics[part.topic] == nil {
            guard request.createsTopics, createsTopics else {
                throw BrokerError(
                    .topicNotFound, "There is no topic \(quoted(part.topic.text)).")
            }
            add(part.topic, TopicSettings(), &state)
        }
    }

    func add(_ name: TopicName, _ settings: TopicSettings, _ state: inout State) {
        state.lastID += 1
        state.topics[name] = MemoryTopic(id: state.lastID, created: now(), settings: settings)
        tell(&state) { $0.created([name]) }
    }

    /// All parts or, with the first that cannot be appended, none.
    private func appendAll(
        _ request: AppendRequest, _ state: inout State
    ) throws(BrokerError) -> [AppendReceipt] {
        let time = now()
        var topics = state.topics
        var receipts: [AppendReceipt] = []
        var told: [(TopicPosition, [Event])] = []
        var begun: Set<TopicName> = []
        for part in request.parts {
            guard var topic = topics[part.topic] else { continue }
            if !topic.settings.isDurable,
                let refusal = request.refusal(ofEphemeral: part.topic)
            {
                throw refusal
            }
            let epoch = Epoch(incarnation: state.incarnation, topicID: topic.id)
            let isFirst = begun.insert(part.topic).inserted
            if isFirst, let head = part.expectedHead, let expected = part.expectedEpoch {
                let answer = state.resume(part.topic, Cursor(epoch: expected, offset: head))
                guard answer == .goesOn else { throw topic.headMoved(part, epoch, head) }
            }
            let position = topic.position(of: part.topic, in: state.incarnation)
            let (receipt, events) = try topic.append(
                part, epoch: epoch, at: time, checksHead: isFirst)
            topics[part.topic] = topic
            receipts.append(receipt)
            if !events.isEmpty { told.append((position, events)) }
        }
        state.topics = topics
        for (position, events) in told where state.isFollowed(position.topic) {
            tell(&state) { $0.appended(events, to: position) }
        }
        return receipts
    }

    // MARK: Follow

    package func follow(
        _ topics: [TopicName],
        completion: @escaping @Sendable (Result<[TopicPosition], BrokerError>) -> Void
    ) {
        state.withLock { state in
            guard state.isAvailable else {
                return queue.async { completion(.failure(Self.unavailable)) }
            }
            let existing = topics.filter { state.topics[$0] != nil }
            state.followed.formUnion(existing)
            let positions = existing.compactMap {
                state.topics[$0]?.position(of: $0, in: state.incarnation)
            }
            queue.async { completion(.success(positions)) }
        }
    }

    package func unfollow(_ topics: [TopicName]) {
        state.withLock { $0.followed.subtract(topics) }
    }

    package func follow(
        matching patterns: [TopicPattern],
        completion: @escaping @Sendable (Result<Void, BrokerError>) -> Void
    ) {
        state.withLock { state in
            guard state.isAvailable else {
                return queue.async { completion(.failure(Self.unavailable)) }
            }
            state.patterns.formUnion(patterns)
            queue.async { completion(.success(())) }
        }
    }

    package func unfollow(matching patterns: [TopicPattern]) {
        state.withLock { $0.patterns.subtract(patterns) }
    }

    func tell(_ state: inout State, _ call: @escaping @Sendable (any LogSink) -> Void) {
        guard let sink = state.sink else { return }
        queue.async { call(sink) }
    }

    // MARK: Topics

    package func topics(matching pattern: TopicPattern) -> [TopicName] {
        topics(matching: [pattern], after: nil, count: .max)
    }

    package func topics(
        matching patterns: [TopicPattern], after: TopicName?, count: Int
    ) -> [TopicName] {
        let names = state.withLock { state in
            state.topics.keys.filter { name in
                name.text > after?.text ?? "" && patterns.contains { $0.matches(name) }
            }
        }
        return Array(names.sorted { $0.text < $1.text }.prefix(count))
    }

    package var isReady: Bool { state.withLock { $0.isAvailable } }

    static var unavailable: BrokerError {
        BrokerError(.databaseUnavailable, "The log is switched off.")
    }

    private final class Steps: Sendable {
        private let last = Mutex(Timestamp(microseconds: 1_767_225_600_000_000))

        var between: Timestamp { last.withLock { $0.advanced(by: .microseconds(1)) } }

        func next() -> Timestamp {
            last.withLock { last in
                last = last.advanced(by: .milliseconds(1))
                return last
            }
        }
    }
}
