internal import EventModel
internal import RepeatableChance
internal import SluiceClient
internal import Transport

/// Publishes one event a request with an `Idempotency-Key`, and sends each until it is answered.
///
/// Some that were answered `committed: no` every time it gives up instead: these must never show.
struct SinglePublisher {
    let id: UInt16
    let plan: PublisherPlan
    var chance: SeededGenerator
    private var connection: HTTPClientConnection?
    private var door = 0

    init(id: UInt16, plan: PublisherPlan, chance: SeededGenerator) {
        self.id = id
        self.plan = plan
        self.chance = chance
        door = Int(id) % plan.doors.count
    }

    mutating func run() async {
        var number: Int64 = 0
        while !plan.isStopped {
            number += 1
            let tag = EventTag(topic: chance.pick(plan.topics), publisher: id, number: number)
            await publish(tag, padding: chance.pick(0...200))
            await plan.sleep(&chance)
        }
    }

    private mutating func publish(_ tag: EventTag, padding: Int) async {
        var mayBeStored = false
        let data = tag.data(padding: padding)
        while !Task.isCancelled {
            let answer = await plan.doors[door].post(
                "/v1/topics/\(tag.topic)/events", type: "application/json",
                key: "p\(id)-\(tag.number)", body: data, over: &connection)
            switch answer {
            case .created(let fields):
                guard let cursor = fields.text("cursor").flatMap({ Cursor($0) }),
                    let place = Place(cursor, of: tag.topic)
                else { return plan.diary.violated("\(tag) was answered without a cursor") }
                return plan.diary.change { $0.acknowledged(tag, at: place) }
            case .refused(let code, let status):
                if !PublisherPlan.excuses.contains(code) {
                    plan.diary.violated("\(tag) was answered \(status) \(code)")
                }
                if !mayBeStored, chance.chance(30) {
                    return plan.diary.change { $0.refused(tag) }
                }
            case .unknown: mayBeStored = true
            }
            if chance.chance(50) {
                door = (door + 1) % plan.doors.count
                connection = nil
            }
            try? await Task.sleep(for: .milliseconds(chance.pick(50...300)))
        }
        plan.diary.violated("\(tag) got no final answer")
    }
}
