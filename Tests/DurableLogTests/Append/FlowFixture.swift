import DurableLog
import EventLogContract
import EventModel
import PostgresBridge
import Testing

/// Drives a flow as the append thread does, without a database.
struct FlowFixture {
    static let incarnation = "incarnate1"

    var flow: AppendFlow
    var known: [TopicName: CatalogEntry] = [:]
    var now = ContinuousClock.now
    /// What was answered, in this order: the data of the request's first event and how.
    var answers: [String] = []
    /// What left the queue for the one of ephemeral topics.
    var ephemeral: [String] = []
    private var seq: Int64 = 0

    init(
        _ way: AppendWay = .log, createsTopics: Bool = true, outcomeTimeout: Duration = .seconds(10)
    ) {
        var limits = Limits()
        limits.outcomeTimeout = outcomeTimeout
        flow = AppendFlow(
            way, queue: AppendQueue(eventsMax: 10_000, bytesMax: 1 << 20),
            createsTopics: createsTopics, limits: limits)
        flow.goUp()
    }

    mutating func admit(_ request: AppendRequest) {
        let error = flow.admit(PendingAppend(request) { _ in })
        #expect(error == nil)
    }

    /// A request that is a full batch.
    mutating func admitFull(_ text: String, to topic: TopicName) {
        let texts = Array(repeating: text, count: AppendQueue.batchEventsMax)
        admit(AppendRequest(parts: [.fixture(topic, texts)]))
    }

    mutating func admit(_ text: String, to topics: TopicName..., creates: Bool = true) {
        admit(
            AppendRequest(
                parts: topics.map { .fixture($0, [text]) }, createsTopics: creates))
    }

    /// Takes what can be taken and sends it; the data of its requests.
    mutating func send() -> [String] {
        guard flow.open == nil else { return [] }
        var next = flow.takePrepared()
        if next == nil { next = form() }
        guard let batch = next else { return [] }
        seq += 1
        flow.sent(batch, seq: seq, now: now)
        return batch.requests.map(Self.text)
    }

    /// Forms the batch behind the open one, if it is time; the data of its requests.
    mutating func prepare() -> [String] {
        guard flow.canPrepare, let batch = form() else { return [] }
        flow.prepare(batch)
        return batch.requests.map(Self.text)
    }

    private mutating func form() -> AppendBatch? {
        let known = known
        let taken = reply { flow, replies, now in
            flow.take(in: Self.incarnation, now: now, into: &replies) { known[$0] }
        }
        ephemeral += taken.ephemeral.map(Self.text)
        guard !taken.requests.isEmpty else { return nil }
        return AppendBatch(taken.requests, ids: taken.ids, incarnation: Self.incarnation)
    }

    /// PostgreSQL committed the open batch.
    mutating func commit() throws {
        let batch = try #require(flow.open?.batch)
        let parts = zip(batch.topicIDs, batch.counts).map {
            JournalPart(topicID: $0, first: 1, last: Offset($1))
        }
        let answer = AppendAnswer(time: Timestamp(microseconds: 5), parts: parts)
        let deal = AppendDeal(batch, answer)
        reply { flow, replies, now in flow.settled(deal, now: now, into: &replies) }
    }

    mutating func refuse(_ sqlState: String) {
        let error = PostgresError(kind: .query, sqlState: sqlState, message: "no")
        reply { flow, replies, now in flow.refused(error, now: now, into: &replies) }
    }

    mutating func found(_ names: TopicName..., missing: Set<TopicName> = []) {
        for name in names where !missing.contains(name) {
            known[name] = CatalogEntry(id: Int32(known.count + 1), isEphemeral: false)
        }
        reply { flow, replies, _ in flow.found(Set(names), missing: missing, into: &replies) }
    }

    mutating func probed(_ names: TopicName..., locked: Set<TopicName>) {
        reply { flow, replies, now in
            flow.probed(Set(names), locked: locked, now: now, into: &replies)
        }
    }

    mutating func checkDeadlines() {
        reply { flow, replies, now in flow.checkDeadlines(now: now, into: &replies) }
    }

    @discardableResult
    mutating func reply<Value>(
        _ body: (inout AppendFlow, inout [AppendReply], ContinuousClock.Instant) -> Value
    ) -> Value {
        var replies: [AppendReply] = []
        let value = body(&flow, &replies, now)
        answers += replies.map { reply in
            switch reply.result {
            case .success: Self.text(reply.pending)
            case .failure(let error): "\(Self.text(reply.pending)) \(error.code.rawValue)"
            }
        }
        return value
    }

    static func text(_ pending: PendingAppend) -> String {
        String(decoding: pending.request.parts[0].events[0].data, as: UTF8.self)
    }
}

/// Topics of these tests; `a` and `b` are known, `new` is not.
struct FlowTopics {
    let a: TopicName
    let b: TopicName
    let new: TopicName

    init() throws {
        a = try TopicName("a")
        b = try TopicName("b")
        new = try TopicName("new")
    }

    func fixture(createsTopics: Bool = true) -> FlowFixture {
        var fixture = FlowFixture(createsTopics: createsTopics)
        fixture.found(a, b)
        return fixture
    }
}
