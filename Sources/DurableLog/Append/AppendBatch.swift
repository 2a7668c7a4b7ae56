package import EventModel

/// Requests that are appended by one call of `sluice.append`, and the arrays that the call takes.
///
/// The arrays are those of the function's comment in `0001_create_log.sql`. They follow from the
/// requests and ids alone, so a batch that is sent again is sent identically.
package struct AppendBatch: Sendable {
    package let requests: [PendingAppend]
    package let incarnation: String

    /// Distinct and ascending: locks are taken in this order, and another order could deadlock.
    package private(set) var topicIDs: [Int32] = []
    /// Events of each topic.
    package private(set) var counts: [Int32] = []
    /// Per event: the index of its topic, from 1.
    package private(set) var topicIndexes: [Int32] = []
    /// Per event: its position in its topic, from 1.
    package private(set) var positions: [Int32] = []
    /// Per event: bytes of its topic in this batch up to and including it.
    package private(set) var sizes: [Int64] = []
    package private(set) var guards: [Guard] = []
    private let ids: [TopicName: Int32]

    /// A part of a request that is appended on a condition: a key, a head, or that the request's
    /// other parts are appended, too.
    package struct Guard: Hashable, Sendable {
        /// Parts of one request have the same number.
        package var request: Int32
        /// Its events, as indexes from 1.
        package var first: Int32
        package var last: Int32
        package var head: Offset?
        package var key: IdempotencyKey?
    }

    /// `ids`: Of every topic of the requests, in this incarnation.
    package init(_ requests: [PendingAppend], ids: [TopicName: Int32], incarnation: String) {
        self.requests = requests
        self.ids = ids
        self.incarnation = incarnation
        var used: Set<Int32> = []
        for pending in requests {
            for part in pending.request.parts { used.insert(Self.id(of: part.topic, in: ids)) }
        }
        topicIDs = used.sorted()
        counts = Array(repeating: 0, count: topicIDs.count)
        let eventCount = requests.reduce(0) { $0 + $1.eventCount }
        topicIndexes.reserveCapacity(eventCount)
        positions.reserveCapacity(eventCount)
        sizes.reserveCapacity(eventCount)
        fill()
    }

    private mutating func fill() {
        let indexes = Dictionary(
            uniqueKeysWithValues: topicIDs.enumerated().map { ($0.element, $0.offset) })
        var bytes: [Int64] = Array(repeating: 0, count: topicIDs.count)
        for (number, pending) in requests.enumerated() {
            var begun: Set<Int32> = []
            for part in pending.request.parts {
                let id = topicID(of: part.topic)
                if Self.isGuarded(pending.request) {
                    guards.append(
                        Guard(
                            request: Int32(number + 1), first: Int32(positions.count + 1),
                            last: Int32(positions.count + part.events.count),
                            // Later parts of a topic follow the earlier ones.
                            head: begun.contains(id) ? nil : part.expectedHead,
                            key: part.idempotency))
                }
                begun.insert(id)
                guard let index = indexes[id] else { continue }
                // By index: a copy of each event would retain all that it has.
                for place in part.events.indices {
                    counts[index] += 1
                    bytes[index] += Int64(part.events[place].byteCount)
                    topicIndexes.append(Int32(index + 1))
                    positions.append(counts[index])
                    sizes.append(bytes[index])
                }
            }
        }
    }

    /// A value of every event, in the order of the arrays.
    package func column<Value>(_ value: (NewEvent) -> Value) -> [Value] {
        var column: [Value] = []
        column.reserveCapacity(positions.count)
        for pending in requests {
            for part in pending.request.parts {
                for place in part.events.indices { column.append(value(part.events[place])) }
            }
        }
        return column
    }

    /// As `column`; `nil` if no event has one.
    package func optionalColumn<Value>(_ value: (NewEvent) -> Value?) -> [Value?]? {
        let isThere = requests.contains { pending in
            pending.request.parts.contains { part in
                part.events.indices.contains { value(part.events[$0]) != nil }
            }
        }
        return isThere ? column(value) as [Value?] : nil
    }

    package func topicID(of name: TopicName) -> Int32 { Self.id(of: name, in: ids) }

    package func epoch(of name: TopicName) -> Epoch {
        Epoch(incarnation: incarnation, topicID: topicID(of: name))
    }

    private static func id(of name: TopicName, in ids: [TopicName: Int32]) -> Int32 {
        guard let id = ids[name] else { preconditionFailure("bug: no id of topic \(name)") }
        return id
    }

    /// Unguarded requests take the function's fast path.
    static func isGuarded(_ request: AppendRequest) -> Bool {
        request.parts.count > 1 || request.parts[0].expectedHead != nil
            || request.parts[0].idempotency != nil
    }
}
