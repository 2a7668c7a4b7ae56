internal import EventModel
internal import RepeatableChance
internal import SessionProtocol

/// Publishes in wss sessions, several events in flight, each with an `event_id`, and sends what was
/// not answered again, in the same order.
struct SessionPublisher {
    let id: UInt16
    let plan: PublisherPlan
    var chance: SeededGenerator
    private var open: [EventTag] = []
    private var number: Int64 = 0
    private var message: Int64 = 0

    private static let inFlightMax = 8

    init(id: UInt16, plan: PublisherPlan, chance: SeededGenerator) {
        self.id = id
        self.plan = plan
        self.chance = chance
    }

    mutating func run() async {
        while !isDone, !Task.isCancelled {
            if let session = try? await SocketSession.open(chance.pick(plan.doors)) {
                await publish(in: session)
                session.leave()
            }
            try? await Task.sleep(for: .milliseconds(chance.pick(50...300)))
        }
        for tag in open { plan.diary.violated("\(tag) got no final answer in a session") }
    }

    private var isDone: Bool { plan.isStopped && open.isEmpty }

    /// Until the connection ends, or an answer asks to try again later.
    private mutating func publish(in session: SocketSession) async {
        var sent: [Int64: EventTag] = [:]
        for await received in session.messages {
            switch received {
            case .welcome: for tag in open { send(tag, in: session, &sent) }
            case .published(let answer):
                guard let tag = sent.removeValue(forKey: answer.id) else {
                    plan.diary.violated("a session answered \(answer.id), which was not asked")
                    continue
                }
                open.removeAll { $0 == tag }
                if let place = Place(answer.cursor, of: tag.topic) {
                    plan.diary.change { $0.acknowledged(tag, at: place) }
                }
            case .error(let error):
                if !PublisherPlan.excuses.contains(error.code) {
                    plan.diary.violated("a session was told \(error.code): \(error.message)")
                }
                return
            default: break
            }
            if isDone { return }
            await plan.sleep(&chance)
            while open.count < Self.inFlightMax, !plan.isStopped {
                number += 1
                let tag = EventTag(topic: chance.pick(plan.topics), publisher: id, number: number)
                open.append(tag)
                send(tag, in: session, &sent)
            }
        }
    }

    private mutating func send(
        _ tag: EventTag, in session: SocketSession, _ sent: inout [Int64: EventTag]
    ) {
        guard let topic = try? TopicName(tag.topic) else { return }
        message += 1
        sent[message] = tag
        let event = NewEvent(data: tag.data(), eventID: "s\(id)-\(tag.number)")
        session.send(.publish(PublishMessage(id: message, topic: topic, event: event)))
    }
}
