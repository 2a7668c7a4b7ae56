import EventModel

extension SubscribeRequest {
    /// The messages that say this request, each of at most `cursorsMax` cursors and `bytesMax`
    /// bytes: its subscribe, and before it `cursors` when one message does not hold all of them.
    ///
    /// What is no cursor can't be split, and one cursor is always said.
    package func messages(cursorsMax: Int, bytesMax: Int) -> [ClientMessage] {
        let whole = ClientMessage.subscribe(self)
        guard cursors.count > cursorsMax || whole.encode().count > bytesMax else { return [whole] }
        let empty = ClientMessage.cursors(id: id, [:]).encode().count
        var messages: [ClientMessage] = []
        var part: [TopicName: Cursor] = [:]
        var bytes = empty
        for (topic, cursor) in cursors.sorted(by: { $0.key.text < $1.key.text }) {
            // Two pairs of quotes, a colon and a comma; neither text has anything to escape.
            let more = topic.text.utf8.count + cursor.description.utf8.count + 6
            if !part.isEmpty, part.count >= cursorsMax || bytes + more > bytesMax {
                messages.append(.cursors(id: id, part))
                part = [:]
                bytes = empty
            }
            part[topic] = cursor
            bytes += more
        }
        if !part.isEmpty { messages.append(.cursors(id: id, part)) }
        var rest = self
        rest.cursors = [:]
        return messages + [.subscribe(rest)]
    }
}
