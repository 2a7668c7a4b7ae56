internal import EventModel
internal import RepeatableChance
internal import SluiceClient

/// Publishes NDJSON batches over several topics with the Swift client, all or none, until answered.
struct BatchPublisher {
    let id: UInt16
    let plan: PublisherPlan
    var chance: SeededGenerator

    mutating func run() async throws {
        let clients = try plan.doors.map { try $0.client() }
        var number: Int64 = 0
        while !plan.isStopped {
            var tags: [EventTag] = []
            for _ in 1...chance.pick(2...20) {
                number += 1
                tags.append(
                    EventTag(topic: chance.pick(plan.topics), publisher: id, number: number))
            }
            await publish(tags, clients)
            await plan.sleep(&chance)
        }
    }

    private mutating func publish(_ tags: [EventTag], _ clients: [BrokerClient]) async {
        let events = tags.map { OutgoingEvent(topic: $0.topic, data: $0.data()) }
        let key = "b\(id)-\(tags[0].number)"
        while !Task.isCancelled {
            do {
                let results = try await chance.pick(clients).publish(events, idempotencyKey: key)
                plan.diary.change { ledger in
                    for (tag, result) in zip(tags, results) {
                        if let cursor = Cursor(result.cursor),
                            let place = Place(cursor, of: tag.topic)
                        {
                            ledger.acknowledged(tag, at: place)
                        }
                    }
                }
                return
            } catch let error as SluiceError {
                let isExcused =
                    error.kind == .unreachable || PublisherPlan.excuses.contains(error.code)
                if !isExcused { plan.diary.violated("a batch was answered: \(error)") }
            } catch {
                continue
            }
            try? await Task.sleep(for: .milliseconds(chance.pick(50...300)))
        }
        plan.diary.violated("the batch from \(tags[0]) on got no final answer")
    }
}
