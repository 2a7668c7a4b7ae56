package import EventModel

/// What a publish came to: it is committed.
package struct PublishAnswer: Sendable {
    private let receipts: [AppendReceipt]
    private let places: [EventPlace]

    init(receipts: [AppendReceipt], places: [EventPlace]) {
        precondition(!receipts.isEmpty, "bug: an append was answered without a receipt")
        self.receipts = receipts
        self.places = places
    }

    /// Where an event of a request to many topics is.
    package struct Event: Hashable, Sendable {
        package var topic: TopicName
        package var cursor: Cursor
        package var time: Timestamp
        /// It was appended before: by an earlier request, or by this one under the same id.
        package var isRepeat: Bool
    }

    /// Of a request to one topic: from its first event to its last.
    package var whole: AppendReceipt { receipts[0] }

    /// Of a request to many topics: one an event, in the order of the request.
    package var events: some Collection<Event> {
        places.lazy.map { [receipts] place in
            let receipt = receipts[place.part]
            return Event(
                topic: receipt.topic,
                cursor: Cursor(epoch: receipt.epoch, offset: receipt.first + Offset(place.index)),
                time: receipt.time, isRepeat: receipt.isRepeat || place.isRepeat)
        }
    }
}
