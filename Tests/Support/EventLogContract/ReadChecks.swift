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

    static let markChecks = [
        EventLogContract("tells what is new since a mark") { log, _ in
            let topic = try TopicName("contract.mark")
            let quiet = try TopicName("contract.mark.quiet")
            let later = try TopicName("contract.mark.later")
            let missing = try TopicName("contract.mark.missing")
            await log.append(["1", "2"], to: topic)
            await log.append(["1"], to: quiet)
            let times = try await log.allEvents(of: topic).map(\.time)
            let mark = try await log.mark()
            #expect(mark.bound >= times[1])
            await log.append(["3", "4"], to: topic)
            await log.append(["1"], to: later)
            let new = try await log.offsets(of: [topic, quiet, later, missing], asOf: mark)
            #expect(new == [topic: 3, quiet: 2, later: 1])
            var early = mark
            early.bound = times[0]
            #expect(try await log.offsets(of: [topic], asOf: early) == [topic: 1])
        },
        EventLogContract("takes all as new since a mark of a life that it never heard of") {
            log, _ in
            let topic = try TopicName("contract.mark.unknown")
            await log.append(["1", "2"], to: topic)
            var mark = try await log.mark()
            mark.incarnation = "zzzzzzzzzz"
            #expect(try await log.offsets(of: [topic], asOf: mark) == [topic: 1])
        },
        EventLogContract("answers each of many that ask at the same time") { log, _ in
            let topics = try (1...20).map { try TopicName("contract.many.\($0)") }
            for topic in topics { await log.append(["1", "2"], to: topic) }
            let epochs = try await log.append(["3"], to: topics[0]).get().map(\.epoch)
            let mark = try await log.mark()
            await log.append(["4"], to: topics[0])
            let answers = try await withThrowingTaskGroup(of: Bool.self) { group in
                for (number, topic) in topics.enumerated() {
                    group.addTask {
                        let cursor = Cursor(epoch: epochs[0], offset: Offset(number))
                        let expected: Resumption =
                            switch number {
                            case 0: .goesOn
                            default: .reset(fork: 0, reason: .recreated)
                            }
                        return try await log.resume([topic: cursor]) == [topic: expected]
                    }
                    group.addTask {
                        let first: Offset = number == 0 ? 4 : 3
                        return try await log.offsets(of: [topic], asOf: mark) == [topic: first]
                    }
                    group.addTask { try await log.mark().bound >= mark.bound }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers == Array(repeating: true, count: 60))
        },
    ]
}
