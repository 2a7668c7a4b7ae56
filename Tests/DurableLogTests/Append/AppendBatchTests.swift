import DurableLog
import EventLogContract
import EventModel
import Testing

@Suite("A batch for sluice.append") struct AppendBatchTests {
    let one: TopicName
    let two: TopicName
    let three: TopicName
    let ids: [TopicName: Int32]

    init() throws {
        one = try TopicName("one")
        two = try TopicName("two")
        three = try TopicName("three")
        ids = [one: 30, two: 7, three: 12]
    }

    func batch(_ requests: AppendRequest...) -> AppendBatch {
        AppendBatch(
            requests.map { PendingAppend($0) { _ in } },
            ids: requests.flatMap(\.parts).compactMap { ids[$0.topic] },
            incarnation: "incarnate1")
    }

    @Test func `names its topics once, ascending, with running sizes in each`() {
        let batch = batch(.fixture(one, ["1", "22"]), .fixture(two, ["é"]), .fixture(one, ["333"]))
        #expect(batch.topicIDs == [7, 30])
        #expect(batch.counts == [1, 3])
        #expect(batch.topicIndexes == [2, 2, 1, 2])
        #expect(batch.positions == [1, 2, 1, 3])
        #expect(batch.sizes == [1, 3, 2, 6])
        #expect(batch.guards.isEmpty)
    }

    @Test func `counts key, id and attributes`() {
        let event = NewEvent(
            data: [0x31], key: "ab", eventID: "cde", attributes: Array("{}".utf8))
        let batch = batch(AppendRequest(parts: [.init(topic: one, events: [event])]))
        #expect(batch.sizes == [8])
    }

    @Test func `guards what is conditional, keyed, or of several parts`() {
        let keyed = AppendRequest.fixture(two, ["2", "3"], key: "k")
        let batch = batch(
            .fixture(one, ["1"]), keyed, .fixture(one, ["4"], head: 9),
            AppendRequest(parts: [
                .fixture(one, ["5"], head: 1), .fixture(two, ["6"]), .fixture(one, ["7"], head: 2),
            ]))
        let brief = batch.guards.map { part in
            "\(part.request): \(part.first)-\(part.last)"
                + (part.head.map { " head \($0)" } ?? "") + (part.key.map { " \($0.text)" } ?? "")
        }
        // Only a request's first part in a topic has a head.
        #expect(
            brief == ["2: 2-3 k:k", "3: 4-4 head 9", "4: 5-5 head 1", "4: 6-6", "4: 7-7"])
    }

    // MARK: The answer

    func deal(_ batch: AppendBatch, _ parts: String, _ others: String = "") throws -> AppendDeal {
        let answer = try #require(
            AppendAnswer(time: Timestamp(microseconds: 5), parts: parts, others: others))
        return AppendDeal(batch, answer)
    }

    func brief(_ deal: AppendDeal) -> [[String]] {
        deal.outcomes.map { outcome in
            switch outcome {
            case .appended(let receipts): Result<_, BrokerError>.success(receipts).brief
            case .failed(let error): [error.code.rawValue]
            case .unknownTopic(let name): ["unknown \(name)"]
            }
        }
    }

    @Test func `deals offsets in the order of the events`() throws {
        let deal = try deal(
            batch(.fixture(one, ["1", "2"]), .fixture(two, ["3"]), .fixture(one, ["4"])),
            "7:100-100 30:5-7@99")
        #expect(brief(deal) == [["5-6"], ["100-100"], ["7-7"]])
        let appended = deal.appended.map { run in
            let events = run.events.map { "\($0.offset)=\($0.text)" }
            return "\(run.topicID): \(events) \(run.events[0].time.microseconds)"
        }
        #expect(
            appended == [
                #"7: ["100=3"] 5"#, #"30: ["5=1", "6=2", "7=4"] 99"#,
            ])
        guard case .appended(let receipts) = deal.outcomes[2] else { return }
        #expect(receipts[0].epoch == Epoch(incarnation: "incarnate1", topicID: 30))
        #expect(receipts[0].time.microseconds == 99)
    }

    @Test func `tells repeats with the first receipt`() throws {
        let deal = try deal(
            batch(.fixture(one, ["1"], key: "k"), .fixture(one, ["2"])), "30:8-8",
            "1/repeat/3/4/17/")
        #expect(brief(deal) == [["=3-4"], ["8-8"]])
        guard case .appended(let receipts) = deal.outcomes[0] else { return }
        #expect(receipts[0].time.microseconds == 17)
    }

    @Test func `tells why a request was refused, whichever part it was`() throws {
        let whole = AppendRequest(parts: [.fixture(one, ["1"]), .fixture(two, ["2"])])
        let deal = try deal(
            batch(whole, .fixture(two, ["3"], key: "k"), whole, .fixture(one, ["4"])),
            "30:1-1",
            "1/refused//// 2/head_moved////41 3/key_conflict//// 4/unknown_topic//// 5/refused////")
        #expect(
            brief(deal) == [["head_moved"], ["idempotency_conflict"], ["unknown one"], ["1-1"]])
        guard case .failed(let error) = deal.outcomes[0] else { return }
        #expect(error.head?.description == "incarnate17-41")
    }

    @Test func `knows a topic that is gone by its absence`() throws {
        let deal = try deal(batch(.fixture(one, ["1"]), .fixture(two, ["2"])), "7:1-1")
        #expect(brief(deal) == [["unknown one"], ["1-1"]])
        #expect(deal.appended.map(\.topicID) == [7])
    }

    @Test(
        arguments: [
            "7", "7:1", "x:1-2", "7:1-2@", "7:1-2@x", "7:a-2", "7:1-2@3x", "7:1-2,8:1-1",
            "99999999999:1-2", "7:1-99999999999999999999",
        ])
    func `refuses an answer of another form`(_ parts: String) {
        #expect(AppendAnswer(time: Timestamp(microseconds: 0), parts: parts, others: "") == nil)
    }

    @Test(arguments: ["1", "1/ok////", "1/repeat/1/2//", "x/refused////", "1/head_moved////"])
    func `refuses a guard's answer of another form`(_ others: String) {
        #expect(AppendAnswer(time: Timestamp(microseconds: 0), parts: "", others: others) == nil)
    }
}
