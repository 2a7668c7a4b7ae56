internal import EventModel
internal import RepeatableChance
internal import SessionProtocol
internal import SluiceClient
internal import Transport

/// Publishes to ephemeral topics, over HTTP or in sessions: each event once, as nobody remembers it.
struct EphemeralPublisher {
    let id: UInt16
    let plan: PublisherPlan
    let isInSessions: Bool
    var chance: SeededGenerator
    private var number: Int64 = 0

    init(id: UInt16, plan: PublisherPlan, isInSessions: Bool, chance: SeededGenerator) {
        self.id = id
        self.plan = plan
        self.isInSessions = isInSessions
        self.chance = chance
    }

    mutating func run() async {
        var connection: HTTPClientConnection?
        while !plan.isStopped {
            let door = chance.pick(plan.doors)
            if isInSessions {
                if let session = try? await SocketSession.open(door) {
                    await publish(in: session)
                    session.leave()
                }
                try? await Task.sleep(for: .milliseconds(chance.pick(50...300)))
            } else {
                // One connection a door would be kept for ever; a new one now and then is enough.
                for _ in 1...chance.pick(1...100) where !plan.isStopped {
                    await publish(through: door, over: &connection)
                    await plan.sleep(&chance)
                }
                connection = nil
            }
        }
    }

    /// - Returns: The next event; some are larger than a NOTIFY.
    private mutating func next() -> (EventTag, data: [UInt8]) {
        number += 1
        let tag = EventTag(topic: chance.pick(plan.topics), publisher: id, number: number)
        return (tag, tag.data(padding: chance.chance(5) ? 12_000 : chance.pick(0...200)))
    }

    private mutating func publish(through door: Door, over connection: inout HTTPClientConnection?)
        async
    {
        let (tag, data) = next()
        let answer = await door.post(
            "/v1/topics/\(tag.topic)/events", type: "application/json", key: nil, body: data,
            over: &connection)
        switch answer {
        case .created(let fields):
            guard let cursor = fields.text("cursor").flatMap({ Cursor($0) }),
                let place = Place(cursor, of: tag.topic)
            else { return plan.diary.violated("\(tag) was answered without a cursor") }
            plan.diary.change { $0.acknowledged(tag, at: place) }
        case .refused(let code, let status):
            if !PublisherPlan.excuses.contains(code) {
                plan.diary.violated("\(tag) was answered \(status) \(code)")
            }
            plan.diary.change { $0.refused(tag) }
        case .unknown: plan.diary.change { $0.mayBeEmitted(tag) }
        }
    }

    /// Until the connection ends, or an answer asks to try again later.
    private mutating func publish(in session: SocketSession) async {
        var open: EventTag?
        for await received in session.messages {
            switch received {
            case .published(let answer):
                guard let tag = open else { return }
                open = nil
                if let place = Place(answer.cursor, of: tag.topic) {
                    plan.diary.change { $0.acknowledged(tag, at: place) }
                }
            case .error(let error):
                if !PublisherPlan.excuses.contains(error.code) {
                    plan.diary.violated("a session was told \(error.code): \(error.message)")
                }
                if let tag = open { plan.diary.change { $0.mayBeEmitted(tag) } }
                return
            case .welcome: break
            default: continue
            }
            if plan.isStopped { return }
            await plan.sleep(&chance)
            let (tag, data) = next()
            guard let topic = try? TopicName(tag.topic) else { return }
            open = tag
            session.send(
                .publish(PublishMessage(id: number, topic: topic, event: NewEvent(data: data))))
        }
        if let tag = open { plan.diary.change { $0.mayBeEmitted(tag) } }
    }
}
