package import EventModel

/// Requests that are appended by one call of `sluice.append`, and the arrays that the call takes.
///
/// The arrays are those of the function's comment in `0001_create_log.sql`. They follow from the
/// requests and ids alone, so a batch that is sent again is sent identically.
package final class AppendBatch: Sendable {
    package let requests: [PendingAppend]
    package let incarnation: String

    /// Distinct and ascending: locks are taken in this order, and another order could deadlock.
    package let topicIDs: [Int32]
    /// Events of each topic.
    package let counts: [Int32]
    /// Per part, in the order of the requests: the index of its topic, from 0.
    let topicOfPart: [Int]
    /// Per event: the index of its topic, from 1.
    package let topicIndexes: [Int32]
    /// Per event: its position in its topic, from 1.
    package let positions: [Int32]
    /// Per event: bytes of its topic in this batch up to and including it.
    package let sizes: [Int64]
    package let guards: [Guard]

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

    /// `ids`: Of the topic of each part, in the order of the requests, in this incarnation.
    package init(_ requests: [PendingAppend], ids: [Int32], incarnation: String) {
        self.requests = requests
        self.incarnation = incarnation
        var arrays = Arrays(
            distinct: Self.distinct(ids), partCount: ids.count,
            eventCount: requests.reduce(0) { $0 + $1.eventCount })
        for index in requests.indices {
            arrays.append(requests[index].parts, number: index + 1, ids)
        }
        topicIDs = arrays.topicIDs
        counts = arrays.counts
        topicOfPart = arrays.topicOfPart
        topicIndexes = arrays.topicIndexes
        positions = arrays.positions
        sizes = arrays.sizes
        guards = arrays.guards
    }

    /// Each id once, ascending.
    private static func distinct(_ ids: [Int32]) -> [Int32] {
        var distinct: [Int32] = []
        for id in ids.sorted() where id != distinct.last { distinct.append(id) }
        return distinct
    }

    /// The index of a topic, from 0; `nil` if it is none of the batch.
    func topicIndex(of id: Int32) -> Int? { Self.index(of: id, in: topicIDs) }

    fileprivate static func index(of id: Int32, in ids: [Int32]) -> Int? {
        var (low, high) = (0, ids.count)
        while low < high {
            let middle = (low + high) / 2
            if ids[middle] < id { low = middle + 1 } else { high = middle }
        }
        return low < ids.count && ids[low] == id ? low : nil
    }

    /// Has events with a value of the kind.
    func has<Value>(_ value: (NewEvent) -> Value?) -> Bool {
        for index in requests.indices {
            let parts = requests[index].parts
            for part in parts.indices {
                for place in parts[part].events.indices
                where value(parts[part].events[place]) != nil { return true }
            }
        }
        return false
    }

    /// Calls `body` with every event, in the order of the arrays.
    func forEachEvent(_ body: (NewEvent) -> Void) {
        for index in requests.indices {
            let parts = requests[index].parts
            // By index: a copy of each event would retain all that it has.
            for part in parts.indices {
                for place in parts[part].events.indices { body(parts[part].events[place]) }
            }
        }
    }

    /// Unguarded requests take the function's fast path.
    static func isGuarded(_ parts: [AppendRequest.Part]) -> Bool {
        parts.count > 1 || parts[0].expectedHead != nil || parts[0].idempotency != nil
    }
}

extension AppendBatch {
    /// The arrays while requests are added.
    private struct Arrays {
        let topicIDs: [Int32]
        var counts: [Int32]
        var bytes: [Int64]
        var topicOfPart: [Int] = []
        var topicIndexes: [Int32] = []
        var positions: [Int32] = []
        var sizes: [Int64] = []
        var guards: [Guard] = []

        init(distinct: [Int32], partCount: Int, eventCount: Int) {
            topicIDs = distinct
            counts = Array(repeating: 0, count: distinct.count)
            bytes = Array(repeating: 0, count: distinct.count)
            topicOfPart.reserveCapacity(partCount)
            topicIndexes.reserveCapacity(eventCount)
            positions.reserveCapacity(eventCount)
            sizes.reserveCapacity(eventCount)
        }

        mutating func append(_ parts: [AppendRequest.Part], number: Int, _ ids: [Int32]) {
            let isGuarded = AppendBatch.isGuarded(parts)
            let firstPart = topicOfPart.count
            for part in parts.indices {
                let id = ids[topicOfPart.count]
                guard let topic = AppendBatch.index(of: id, in: topicIDs) else {
                    preconditionFailure("bug: no topic \(id) in a batch")
                }
                if isGuarded {
                    // Later parts of a topic follow the earlier ones.
                    let isLater = topicOfPart[firstPart...].contains(topic)
                    guards.append(
                        Guard(
                            request: Int32(number), first: Int32(positions.count + 1),
                            last: Int32(positions.count + parts[part].events.count),
                            head: isLater ? nil : parts[part].expectedHead,
                            key: parts[part].idempotency))
                }
                topicOfPart.append(topic)
                for place in parts[part].events.indices {
                    counts[topic] += 1
                    bytes[topic] += Int64(parts[part].events[place].byteCount)
                    topicIndexes.append(Int32(topic + 1))
                    positions.append(counts[topic])
                    sizes.append(bytes[topic])
                }
            }
        }
    }
}
