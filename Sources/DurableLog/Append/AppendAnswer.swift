package import EventModel

/// A row of the journal as the answer to a batch.
package struct AppendAnswer: Hashable, Sendable {
    /// The events' time, except where a part has its own.
    package var time: Timestamp
    package var parts: [JournalPart]
    /// What became of the guards that were not appended, by their number from 1.
    package var others: [Int32: GuardStatus]

    package enum GuardStatus: Hashable, Sendable {
        case repeated(first: Offset, last: Offset, time: Timestamp)
        case keyConflict
        case headMoved(head: Offset)
        case unknownTopic
        /// It could have been appended, but another part of its request could not.
        case refused
    }

    package init(time: Timestamp, parts: [JournalPart], others: [Int32: GuardStatus] = [:]) {
        self.time = time
        self.parts = parts
        self.others = others
    }

    /// Parses what `AppendStatement` selects; `nil` if it is of another form.
    ///
    /// `others`: `guard/status/first/last/microseconds/head`, separated by spaces; absent values
    /// are empty.
    package init?(time: Timestamp, parts: String, others: String) {
        guard let parts = JournalPart.parse(parts) else { return nil }
        // The usual case.
        if others.isEmpty {
            self.init(time: time, parts: parts)
            return
        }
        var statuses: [Int32: GuardStatus] = [:]
        for word in others.split(separator: " ") {
            let fields = word.split(separator: "/", omittingEmptySubsequences: false)
            guard fields.count == 6, let number = Int32(fields[0]),
                let status = GuardStatus(fields)
            else { return nil }
            statuses[number] = status
        }
        self.init(time: time, parts: parts, others: statuses)
    }
}

extension AppendAnswer.GuardStatus {
    fileprivate init?(_ fields: [Substring]) {
        switch fields[1] {
        case "repeat":
            guard let first = Offset(fields[2]), let last = Offset(fields[3]),
                let time = Int64(fields[4])
            else { return nil }
            self = .repeated(
                first: first, last: last, time: Timestamp(microseconds: time))
        case "head_moved":
            guard let head = Offset(fields[5]) else { return nil }
            self = .headMoved(head: head)
        case "key_conflict": self = .keyConflict
        case "unknown_topic": self = .unknownTopic
        case "refused": self = .refused
        default: return nil
        }
    }
}
