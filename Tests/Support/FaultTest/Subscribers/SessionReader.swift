internal import EventModel
internal import RepeatableChance
internal import SessionProtocol

/// Subscribes in raw wss sessions, on any broker, and goes on from its own cursors.
struct SessionReader {
    let name: String
    let patterns: [TopicPattern]
    let start: StartPosition
    let doors: [Door]
    /// Until everybody hurries.
    let bytesPerSecond: Int?
    let readers: Readers
    var chance: SeededGenerator

    mutating func run() async {
        let request = SubscribeRequest(id: 1, patterns: patterns, from: start)
        var position: SubscriberPosition?
        var hasSubscribed = false
        while !readers.isStopped {
            let speed = readers.isHurried ? nil : bytesPerSecond
            if let session = try? await SocketSession.open(
                chance.pick(doors), bytesPerSecond: speed)
            {
                for await message in session.messages {
                    position?.received(message)
                    readers.received(message, by: name)
                    switch message {
                    case .welcome(let welcome):
                        let stands = position ?? SubscriberPosition(request, began: welcome.time)
                        position = stands
                        let asks =
                            hasSubscribed ? stands.resumption(in: welcome) : [.subscribe(request)]
                        for ask in asks { session.send(ask) }
                    case .subscribed: hasSubscribed = true
                    case .error(let error):
                        if !PublisherPlan.excuses.contains(error.code) {
                            readers.diary.violated(
                                "\(name) was told \(error.code): \(error.message)")
                        }
                        session.leave()
                    default: break
                    }
                    if readers.isHurried, speed != nil { break }
                }
                session.leave()
            }
            try? await Task.sleep(for: .milliseconds(chance.pick(50...400)))
        }
    }
}
