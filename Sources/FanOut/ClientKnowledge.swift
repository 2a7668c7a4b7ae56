internal import EventModel

/// What the client of a subscription knows of it beside events, and what it is still to be told.
struct ClientKnowledge {
    /// Topics that are gone; one that comes back under the name begins with a reset.
    var ends = EndedTopics()
    /// Topics of which it knows, though it has got nothing of them yet.
    var empty: Set<TopicName> = []
    /// `live` is to be told when no topic replays any more; otherwise `lagging`, when one does.
    var owesLive = true
    /// The subscription waits for room to tell what it owes.
    var isOwing = false
}
