package import EventModel

/// Paces one subscription's live events of one topic: `max_rate` (doc:Session).
///
/// At most `eventsPerSecond` events come out in any second; in between the newest event of each key
/// waits, and what it replaced is told as conflated. What comes out is in the order of offsets and
/// nothing is missing: every offset that went in comes out as an event, or lies in a range that is
/// conflated and comes before the next event. Such a range begins and ends with conflated offsets;
/// offsets between that never went in, as they were filtered, may lie in it.
///
/// **Rounds.** What waits when the next event may come is a round: it comes out whole, at the rate,
/// and is not replaced any more. So each key that has news has its turn once a round, however often
/// others change, and an event is at most a round older than the newest of its key.
///
/// **Time** is an argument. Whoever owns the pacer calls `comeDue` when `deadline` has passed, at
/// the latest a hundredth of a second later; what was earned until then comes out at once.
///
/// **Memory** is bounded by `keysMax` events, and as many again in the round; over it the oldest
/// that waits is conflated. All events without a key share one place.
///
/// Other notices about the topic have their own offsets: before one, or before the rate ends, the
/// owner calls `release`. When the subscription falls back to its cursor, the owner makes a new
/// pacer.
package struct TopicPacer<Payload> {
    /// What comes out.
    package enum Output {
        /// An event's turn has come.
        case event(Payload, offset: Offset)
        /// These were replaced by newer ones.
        case conflated(ClosedRange<Offset>)
    }

    /// An event that waits, or, without payload, offsets that were conflated.
    private struct Place {
        var offsets: ClosedRange<Offset>
        var key: String?
        var payload: Payload?
    }

    private var meter: RateMeter
    private let keysMax: Int
    /// In order of offsets, like `waiting` behind it; the first comes out last.
    private var round: [Place] = []
    /// Events of different keys, and conflated offsets between them.
    private var waiting: [Place] = []
    /// Where in `waiting` the event of a key is.
    private var places: [String?: Int] = [:]
    /// Before it, nothing in `waiting` is an event.
    private var firstEvent = 0
    private var lastOffset: Offset = 0

    /// A pacer of 1 or more events a second, for `keysMax` events that wait, 1 or more.
    package init(eventsPerSecond: Int, keysMax: Int, now: ContinuousClock.Instant) {
        precondition(keysMax >= 1, "bug: a pacer without room for an event")
        self.keysMax = keysMax
        meter = RateMeter(eventsPerSecond: eventsPerSecond, now: now)
    }

    /// When an event that waits may come out; `nil` if none waits.
    package var deadline: ContinuousClock.Instant? {
        round.isEmpty && places.isEmpty ? nil : meter.next
    }

    /// Events that wait.
    package var waitingCount: Int {
        places.count + round.count(where: { $0.payload != nil })
    }

    /// Another rate from now on; what waits goes on waiting.
    package mutating func changeRate(eventsPerSecond: Int, now: ContinuousClock.Instant) {
        meter = RateMeter(eventsPerSecond: eventsPerSecond, now: max(now, meter.next))
    }

    /// An event of the topic arrived, with a higher offset than all before it.
    package mutating func received(
        _ payload: Payload, offset: Offset, key: String?, now: ContinuousClock.Instant,
        into outputs: inout [Output]
    ) {
        precondition(offset > lastOffset, "bug: offset \(offset) arrived after \(lastOffset)")
        lastOffset = offset
        // What could have come out before this one does, so that it has the older turn.
        comeDue(now: now, into: &outputs)
        if let place = places[key] { conflate(place) }
        if places.count == keysMax { conflateOldest() }
        places[key] = waiting.count
        waiting.append(Place(offsets: offset...offset, key: key, payload: payload))
        compactIfLong()
        comeDue(now: now, into: &outputs)
    }

    /// Gives the events whose turn has come.
    package mutating func comeDue(now: ContinuousClock.Instant, into outputs: inout [Output]) {
        while deadline != nil, meter.allows(now) {
            if round.isEmpty { beginRound() }
            giveNext(into: &outputs)
            meter.spend(now)
        }
    }

    /// Gives everything that waits, whatever the rate.
    package mutating func release(into outputs: inout [Output]) {
        while deadline != nil {
            if round.isEmpty { beginRound() }
            giveNext(into: &outputs)
        }
    }

    // MARK: Rounds

    private mutating func beginRound() {
        round = waiting.reversed()
        waiting = []
        places = [:]
        firstEvent = 0
    }

    /// Gives the round's next event, and before it what was conflated.
    ///
    /// The last place that went in is always an event, so one is there.
    private mutating func giveNext(into outputs: inout [Output]) {
        var conflated: ClosedRange<Offset>?
        while let place = round.popLast() {
            if let payload = place.payload {
                if let conflated { outputs.append(.conflated(conflated)) }
                return outputs.append(.event(payload, offset: place.offsets.upperBound))
            }
            conflated = Self.joined(conflated, place.offsets)
        }
    }

    // MARK: Conflation

    private mutating func conflate(_ place: Int) {
        places[waiting[place].key] = nil
        waiting[place].key = nil
        waiting[place].payload = nil
    }

    private mutating func conflateOldest() {
        while waiting[firstEvent].payload == nil { firstEvent += 1 }
        conflate(firstEvent)
    }

    /// Joins conflated offsets next to one another, so that they take no more places than events.
    private mutating func compactIfLong() {
        guard waiting.count > 2 * places.count + 8 else { return }
        var kept: [Place] = []
        for place in waiting {
            if place.payload == nil, let last = kept.last, last.payload == nil {
                kept[kept.count - 1].offsets = Self.joined(last.offsets, place.offsets)
            } else {
                if place.payload != nil { places[place.key] = kept.count }
                kept.append(place)
            }
        }
        waiting = kept
        firstEvent = 0
    }

    private static func joined(
        _ first: ClosedRange<Offset>?, _ second: ClosedRange<Offset>
    ) -> ClosedRange<Offset> {
        (first ?? second).lowerBound...second.upperBound
    }
}

extension TopicPacer.Output: Equatable where Payload: Equatable {}
extension TopicPacer.Output: Sendable where Payload: Sendable {}

/// Allows at most so many events in any second (the generic cell rate algorithm, ITU-T I.371).
///
/// High rates may save up a hundredth of a second's events, so that a timer need not run for each;
/// they are refilled so much slower that a second's end holds no more either.
struct RateMeter {
    private let interval: Duration
    private let savingsMax: Duration
    /// When the next event would come if all came evenly.
    private var even: ContinuousClock.Instant

    init(eventsPerSecond: Int, now: ContinuousClock.Instant) {
        precondition(eventsPerSecond >= 1, "bug: a rate of \(eventsPerSecond) events a second")
        let burst = max(1, eventsPerSecond / 100)
        // Rounded up, so that what is lost in rounding is not gained over a second.
        interval = .nanoseconds(1_000_000_000 / (eventsPerSecond - burst + 1) + 1)
        savingsMax = interval * (burst - 1)
        even = now
    }

    /// When an event may come.
    var next: ContinuousClock.Instant { even - savingsMax }

    func allows(_ now: ContinuousClock.Instant) -> Bool { now >= next }

    /// An event comes now.
    mutating func spend(_ now: ContinuousClock.Instant) { even = max(even, now) + interval }
}
