import RepeatableChance
import DurableLog
import EventLogContract
import EventModel
import Testing

@Suite("The queue before the log") struct AppendQueueTests {
    let one: TopicName
    let two: TopicName

    init() throws {
        one = try TopicName("one")
        two = try TopicName("two")
    }

    func pending(
        _ topics: TopicName..., events: Int = 1, bytes: Int = 1, publisher: String? = nil
    ) -> PendingAppend {
        let text = String(repeating: "1", count: bytes)
        let parts = topics.map {
            AppendRequest.Part.fixture($0, Array(repeating: text, count: events))
        }
        let identity = publisher.map { Identity(tokenID: $0, name: $0, expires: nil) }
        return PendingAppend(AppendRequest(parts: parts, publisher: identity)) { _ in }
    }

    func names(_ batch: [PendingAppend]) -> [String] {
        batch.map { $0.request.parts.map(\.topic.text).joined(separator: "+") }
    }

    @Test func `takes topics in turn, so that one flood delays nobody`() throws {
        var queue = AppendQueue(eventsMax: 10_000, bytesMax: 1 << 20)
        for _ in 1...4 { try queue.enqueue(pending(one, events: 200)) }
        try queue.enqueue(pending(two, events: 100))
        #expect(names(queue.takeBatch()) == ["one", "two", "one"])
        #expect(names(queue.takeBatch()) == ["one", "one"])
        #expect(queue.isEmpty)
    }

    @Test func `bounds a batch in events and bytes`() throws {
        var queue = AppendQueue(eventsMax: 10_000, bytesMax: 16 << 20)
        try queue.enqueue(pending(one, bytes: 600 << 10))
        try queue.enqueue(pending(one, bytes: 600 << 10))
        #expect(queue.takeBatch().count == 1)
        #expect(queue.takeBatch().count == 1)
        #expect(queue.takeBatch().isEmpty)
    }

    @Test func `gives a request that is larger than a batch one of its own`() throws {
        var queue = AppendQueue(eventsMax: 10_000, bytesMax: 16 << 20)
        try queue.enqueue(pending(two))
        try queue.enqueue(pending(one, events: 2000))
        try queue.enqueue(pending(two))
        #expect(queue.takeBatch().map(\.eventCount) == [1])
        #expect(queue.takeBatch().map(\.eventCount) == [2000])
        #expect(queue.takeBatch().map(\.eventCount) == [1])
    }

    @Test func `keeps the order of each topic around requests for several`() throws {
        var queue = AppendQueue(eventsMax: 10_000, bytesMax: 1 << 20)
        try queue.enqueue(pending(one, events: 1))
        try queue.enqueue(pending(one, two, events: 2))
        try queue.enqueue(pending(two, events: 3))
        try queue.enqueue(pending(one, events: 4))
        let batch = queue.takeBatch()
        #expect(batch.count == 4)
        let order = batch.map { $0.request.parts[0].events.count }
        #expect(order.filter { $0 != 3 } == [1, 2, 4])
        #expect(order.filter { $0 != 4 && $0 != 1 } == [2, 3])
    }

    @Test func `keeps the order of each topic in any mixture`() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        var queue = AppendQueue(eventsMax: 100_000, bytesMax: 64 << 20)
        let topics = try (0..<6).map { try TopicName("t\($0)") }
        for number in 0..<400 {
            let count = Int.random(in: 1...3, using: &random)
            let parts = topics.shuffled(using: &random).prefix(count).map {
                AppendRequest.Part.fixture($0, ["\(number)"])
            }
            try queue.enqueue(PendingAppend(AppendRequest(parts: Array(parts))) { _ in })
        }
        var taken: [TopicName: [Int]] = [:]
        var total = 0
        while !queue.isEmpty {
            let batch = queue.takeBatch()
            try #require(!batch.isEmpty, "seed \(seed)")
            for part in batch.flatMap(\.request.parts) {
                let text = String(decoding: part.events[0].data, as: UTF8.self)
                taken[part.topic, default: []].append(Int(text) ?? -1)
            }
            total += batch.count
        }
        #expect(total == 400, "seed \(seed)")
        for (topic, numbers) in taken {
            #expect(numbers == numbers.sorted(), "seed \(seed), topic \(topic)")
        }
    }

    @Test func `keeps order, amounts and shares through whatever leaves and comes back`() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        var queue = AppendQueue(eventsMax: 4000, bytesMax: 64 << 20)
        let topics = try (0..<5).map { try TopicName("t\($0)") }
        var waiting: [PendingAppend] = []
        var last: [TopicName: Int] = [:]
        for _ in 0..<2000 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<6:
                let parts = (0..<Int.random(in: 1...3, using: &random)).map { _ in
                    AppendRequest.Part.fixture(
                        topics.randomElement(using: &random) ?? topics[0], ["1"])
                }
                let name = ["a", "b", nil].randomElement(using: &random) ?? nil
                let publisher = name.map { Identity(tokenID: $0, name: $0, expires: nil) }
                var pending = PendingAppend(
                    AppendRequest(parts: parts, publisher: publisher)
                ) { _ in }
                try queue.enqueue(pending)
                pending.number = queue.lastNumber
                waiting.append(pending)
            case 6..<8:
                let most = Int.random(in: 1...8, using: &random)
                let batch = queue.takeBatch(requestsMax: most)
                if Bool.random(using: &random) {
                    queue.putBack(batch)
                } else {
                    for pending in batch {
                        for topic in Set(pending.request.parts.map(\.topic)) {
                            #expect(pending.number > last[topic] ?? 0, "seed \(seed)")
                            last[topic] = pending.number
                        }
                        waiting.removeAll { $0.number == pending.number }
                    }
                }
            default:
                guard let one = waiting.randomElement(using: &random) else { continue }
                let topic = one.request.parts[0].topic
                if Bool.random(using: &random) {
                    #expect(queue.remove(one.number, of: topic)?.number == one.number)
                    #expect(queue.remove(one.number, of: topic) == nil, "seed \(seed)")
                    waiting.removeAll { $0.number == one.number }
                } else {
                    let gone = queue.remove(of: topic, upTo: one.number) { _ in true }
                    #expect(gone.last?.number == one.number, "seed \(seed)")
                    waiting.removeAll { pending in gone.contains { $0.number == pending.number } }
                }
            }
            #expect(queue.eventCount == waiting.reduce(0) { $0 + $1.eventCount }, "seed \(seed)")
            #expect(queue.isEmpty == waiting.isEmpty, "seed \(seed)")
        }
        #expect(queue.takeAll().map(\.number) == waiting.map(\.number), "seed \(seed)")
    }

    @Test func `gives a share back with what leaves, however many publishers there were`() throws {
        var queue = AppendQueue(eventsMax: 40, bytesMax: 1 << 20)
        for number in 1...100 {
            for _ in 1...5 { try queue.enqueue(pending(one, publisher: "p\(number)")) }
            let error = #expect(throws: BrokerError.self) {
                try queue.enqueue(pending(one, publisher: "p\(number)"))
            }
            #expect(error?.code == .rateLimited)
            if number.isMultiple(of: 2) {
                #expect(queue.takeBatch().count == 5)
            } else {
                #expect(queue.remove(of: one, upTo: queue.lastNumber) { _ in true }.count == 5)
            }
        }
        #expect(queue.isEmpty)
    }

    @Test func `counts what a request has for one topic together`() throws {
        var queue = AppendQueue(eventsMax: 40, bytesMax: 1 << 20)
        try queue.enqueue(pending(one, events: 5))
        let error = #expect(throws: BrokerError.self) {
            try queue.enqueue(pending(one, two, one, events: 3))
        }
        #expect(error?.code == .rateLimited)
        try queue.enqueue(pending(one, two, events: 5))
    }

    @Test func `asks once a batch what a topic is`() throws {
        var queue = AppendQueue(eventsMax: 40, bytesMax: 1 << 20)
        var asked: [TopicName] = []
        for _ in 1...2 {
            for _ in 1...3 { try queue.enqueue(pending(one)) }
            try queue.enqueue(pending(two, one))
            let entry = CatalogEntry(id: 7, isEphemeral: false)
            let batch = queue.takeBatch(
                entry: { topic in
                    asked.append(topic)
                    return entry
                },
                { pending, found in
                    for part in pending.request.parts.indices { #expect(found[part] == entry) }
                    return .take
                })
            #expect(batch.count == 4)
        }
        #expect(asked == [one, two, one, two])
    }

    @Test func `tells publishers when it is full`() throws {
        var queue = AppendQueue(eventsMax: 8, bytesMax: 1 << 20)
        for number in 0..<4 {
            try queue.enqueue(pending(try TopicName("t\(number)"), events: 2))
        }
        let error = #expect(throws: BrokerError.self) { try queue.enqueue(pending(one)) }
        #expect(error?.code == .publisherOverloaded)
        #expect(error?.retryAfter != nil)
        #expect(queue.eventCount == 8)
    }

    @Test func `lets no topic hold more than a quarter`() throws {
        var queue = AppendQueue(eventsMax: 40, bytesMax: 1 << 20)
        for _ in 1...10 { try queue.enqueue(pending(one)) }
        let error = #expect(throws: BrokerError.self) { try queue.enqueue(pending(one)) }
        #expect(error?.code == .rateLimited)
        try queue.enqueue(pending(two))
        _ = queue.takeBatch()
        try queue.enqueue(pending(one))
    }

    @Test func `lets no publisher hold more than a quarter, whatever its topics`() throws {
        var queue = AppendQueue(eventsMax: 40, bytesMax: 1 << 20)
        for number in 1...10 {
            try queue.enqueue(pending(try TopicName("t\(number)"), publisher: "greedy"))
        }
        let error = #expect(throws: BrokerError.self) {
            try queue.enqueue(pending(one, publisher: "greedy"))
        }
        #expect(error?.code == .rateLimited)
        try queue.enqueue(pending(one, publisher: "modest"))
    }

    @Test func `leaves others half of a topic's quarter, however much one publisher sends`() throws
    {
        var queue = AppendQueue(eventsMax: 40, bytesMax: 1 << 20)
        for _ in 1...5 { try queue.enqueue(pending(one, publisher: "greedy")) }
        let error = #expect(throws: BrokerError.self) {
            try queue.enqueue(pending(one, publisher: "greedy"))
        }
        #expect(error?.code == .rateLimited)
        try queue.enqueue(pending(two, publisher: "greedy"))
        for _ in 1...5 { try queue.enqueue(pending(one, publisher: "modest")) }
        _ = queue.takeBatch()
        try queue.enqueue(pending(one, publisher: "greedy"))
    }

    @Test func `takes any request when it is empty`() throws {
        var queue = AppendQueue(eventsMax: 4, bytesMax: 10)
        try queue.enqueue(pending(one, events: 100, bytes: 100))
        #expect(queue.takeBatch().count == 1)
        #expect(queue.eventCount == 0)
        #expect(queue.byteCount == 0)
    }

    @Test func `gives everything in order when nothing can be appended`() throws {
        var queue = AppendQueue(eventsMax: 100, bytesMax: 1 << 20)
        try queue.enqueue(pending(one, events: 1))
        try queue.enqueue(pending(two, events: 2))
        #expect(queue.takeAll().map(\.eventCount) == [1, 2])
        #expect(queue.isEmpty)
        #expect(queue.takeBatch().isEmpty)
    }
}

@Suite("The reply to a request that was refused") struct AppendReplyTests {
    @Test(
        arguments: [
            (ErrorCode.rateLimited, nil, Commitment.no), (.headMoved, nil, .no),
            (.outcomeUnknown, .unknown, .unknown),
        ] as [(ErrorCode, Commitment?, Commitment)])
    func `says that nothing is in the log, unless nobody knows`(
        code: ErrorCode, known: Commitment?, told: Commitment
    ) async throws {
        var error = BrokerError(code, "No.")
        error.committed = known
        let refusal = error
        let result = await withCheckedContinuation { continuation in
            let pending = PendingAppend(AppendRequest(parts: [])) {
                continuation.resume(returning: $0)
            }
            AppendReply(pending: pending, result: .failure(refusal)).send()
        }
        guard case .failure(let answer) = result else { throw refusal }
        #expect(answer.committed == told)
    }
}
