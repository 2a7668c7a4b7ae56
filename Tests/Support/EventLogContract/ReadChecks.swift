import EventModel
import Testing

extension EventLogContract {
    static let readChecks = [
        EventLogContract("reads pages bounded in events and bytes, with both ends") { log, _ in
            let topic = try TopicName("contract.page")
            await log.append((1...10).map { "\"event \($0)\"" }, to: topic)
            let page = try await log.page(of: topic, after: 3, events: 4)
            #expect(page.events.map(\.offset) == [4, 5, 6, 7])
            #expect(page.position.earliest == 1)
            #expect(page.position.latest == 10)
            let small = try await log.page(of: topic, after: 3, bytes: 1)
            #expect(small.events.map(\.offset) == [4], "one event always fits")
            let head = try await log.page(of: topic, after: 10)
            #expect(head.events.isEmpty)
        },
        EventLogContract("refuses to read a topic that does not exist") { log, _ in
            let topic = try TopicName("contract.page.missing")
            let error = await #expect(throws: BrokerError.self) {
                try await log.page(of: topic, after: 0)
            }
            #expect(error?.code == .topicNotFound)
        },
        EventLogContract("finds the offset of a time") { log, _ in
            let topic = try TopicName("contract.time")
            let empty = try TopicName("contract.time.empty")
            _ = try await log.create(empty, settings: TopicSettings())
            for number in 1...3 { await log.append(["\(number)"], to: topic) }
            let times = try await log.allEvents(of: topic).map(\.time)
            let second = try await log.offsets(of: [topic, empty], at: times[1])
            #expect(second[topic] == 2)
            #expect(second[empty] == 1)
            let later = try await log.offsets(of: [topic], at: times[2].advanced(by: .seconds(1)))
            #expect(later[topic] == 4)
        },
        EventLogContract("lets a cursor go on, unless its events are not in the log") { log, _ in
            let topic = try TopicName("contract.resume")
            let receipts = try await log.append(["1", "2"], to: topic).get()
            let epoch = receipts[0].epoch
            let strange = try #require(Epoch("zzzzzzzzzz\(epoch.text.dropFirst(10))"))
            let recreated = Epoch(incarnation: epoch.incarnation, topicID: 1_000_000)
            func answer(_ epoch: Epoch, _ offset: Offset) async throws -> Resumption? {
                try await log.resume([topic: Cursor(epoch: epoch, offset: offset)])[topic]
            }
            #expect(try await answer(epoch, 2) == .goesOn)
            #expect(try await answer(epoch, 3) == .reset(fork: 2, reason: .restored))
            #expect(try await answer(strange, 1) == .reset(fork: 0, reason: .restored))
            #expect(try await answer(recreated, 1) == .reset(fork: 0, reason: .recreated))
            let missing = try TopicName("contract.resume.missing")
            let answers = try await log.resume([missing: Cursor(epoch: epoch, offset: 1)])
            #expect(answers == [missing: .reset(fork: 0, reason: .deleted)])
        },
    ]
}
