internal import EventModel
internal import NIOCore
internal import SluiceClient

/// What a subscriber of a benchmark gets: a topic's events, from the head on or behind a cursor.
struct LoadStart: Sendable {
    let event: BenchEvent
    var cursor: Cursor?
}

/// Subscribers of a topic, or of some in turn, over the load's event loops.
struct LoadGroup: Sendable {
    private struct Member: Sendable {
        let subscriber: NIOLoopBound<LoadSubscriber>
        let latencies: NIOLoopBound<LoopLatencies>

        var loop: any EventLoop { subscriber.eventLoop }
    }

    private let members: [Member]
    private let latencies: [NIOLoopBound<LoopLatencies>]
    /// Handshakes under way at a time, if nothing else is said.
    static let opensMax = 64

    /// How many there are.
    var count: Int { members.count }

    /// Opens the sessions of `count` subscribers, `atOnce` of them at a time; tells `progress` how
    /// many are open.
    ///
    /// They begin where `starts` says, in turn; `isSubscribing`: as soon as each is open. Throws
    /// the `SluiceError` of the first that could not be opened.
    static func open(
        _ count: Int, at starts: [LoadStart], isSubscribing: Bool = false,
        _ connector: BrokerConnector, on group: any EventLoopGroup, atOnce: Int = opensMax,
        progress: @Sendable (Int) -> Void
    ) async throws -> LoadGroup {
        var latencies: [NIOLoopBound<LoopLatencies>] = []
        for loop in group.makeIterator() {
            latencies.append(
                try await loop.submit { NIOLoopBound(LoopLatencies(), eventLoop: loop) }.get())
        }
        let ofLoops = latencies
        let members = try await withThrowingTaskGroup(of: Member.self) { tasks in
            var members: [Member] = []
            for index in 0..<count {
                if index >= atOnce, let member = try await tasks.next() {
                    members.append(member)
                    progress(members.count)
                }
                let start = starts[index % starts.count]
                tasks.addTask {
                    let member = try await open(start, connector, on: group, ofLoops)
                    if isSubscribing {
                        member.loop.execute {
                            _ = member.subscriber.value.subscribe(on: member.loop)
                        }
                    }
                    return member
                }
            }
            for try await member in tasks { members.append(member) }
            return members
        }
        return LoadGroup(members: members, latencies: latencies)
    }

    private static func open(
        _ start: LoadStart, _ connector: BrokerConnector, on group: any EventLoopGroup,
        _ latencies: [NIOLoopBound<LoopLatencies>]
    ) async throws -> Member {
        let session = try await LoadSession.open(connector, on: group)
        let loop = session.eventLoop
        guard let ofLoop = latencies.first(where: { $0.eventLoop === loop }) else {
            preconditionFailure("bug: a session on a loop of another group")
        }
        return try await loop.submit {
            let subscriber = LoadSubscriber(session.value, at: start)
            subscriber.latencies = ofLoop.value
            return Member(
                subscriber: NIOLoopBound(subscriber, eventLoop: loop), latencies: ofLoop)
        }.get()
    }

    // MARK: All of them

    /// All subscribe at once; returns when all have.
    func subscribe() async throws { try await all { $0.subscribe(on: $1) } }

    /// Waits until all have everything up to the offset, at most so long.
    ///
    /// - Returns: For each that has it, how long that took since `start`, in ns.
    func wait(
        for offset: Offset, since start: ContinuousClock.Instant = .now, atMost patience: Duration
    ) async throws -> LatencyHistogram {
        return await withTaskGroup(of: Duration?.self) { tasks in
            for member in members {
                tasks.addTask {
                    let promise = member.loop.makePromise(of: Void.self)
                    member.loop.execute {
                        member.subscriber.value.position(offset, on: member.loop)
                            .cascade(to: promise)
                    }
                    let timer = member.loop.scheduleTask(in: TimeAmount(patience)) {
                        promise.fail(CancellationError())
                    }
                    defer { timer.cancel() }
                    do { try await promise.futureResult.get() } catch { return nil }
                    return ContinuousClock.now - start
                }
            }
            var times = LatencyHistogram()
            for await time in tasks.compactMap({ $0 }) {
                let (seconds, fraction) = time.components
                times.record(seconds * 1_000_000_000 + fraction / 1_000_000_000)
            }
            return times
        }
    }

    /// The last ones stop to read, or read on.
    func setReading(_ isReading: Bool, last count: Int) async throws {
        for member in members.suffix(count) {
            try await member.loop.submit { member.subscriber.value.setReading(isReading) }.get()
        }
    }

    /// The last ones are not measured; they are slow on purpose.
    func measure(allButLast count: Int) async throws {
        for (index, member) in members.enumerated() {
            let isMeasured = index < members.count - count
            try await member.loop.submit {
                member.subscriber.value.latencies = isMeasured ? member.latencies.value : nil
            }.get()
        }
    }

    /// What was measured since the last time.
    func takeLatencies() async throws -> LatencyHistogram {
        var sum = LatencyHistogram()
        for ofLoop in latencies {
            sum.merge(try await ofLoop.eventLoop.submit { ofLoop.value.take() }.get())
        }
        return sum
    }

    /// What they have seen so far, and why the first of those that ended has.
    func tally() async throws -> (DeliveryCheck.Tally, end: String?) {
        var sum = DeliveryCheck.Tally()
        var end: String?
        for member in members {
            let (tally, reason) = try await member.loop.submit {
                (member.subscriber.value.check.tally, member.subscriber.value.end)
            }.get()
            sum += tally
            end = end ?? reason
        }
        return (sum, end)
    }

    func leave() async throws {
        for member in members { member.loop.execute { member.subscriber.value.leave() } }
    }

    private func all(
        _ body: @escaping @Sendable (LoadSubscriber, any EventLoop) -> EventLoopFuture<Void>
    ) async throws {
        let futures = members.map { member in
            let promise = member.loop.makePromise(of: Void.self)
            member.loop.execute {
                body(member.subscriber.value, member.loop).cascade(to: promise)
            }
            return promise.futureResult
        }
        for future in futures { try await future.get() }
    }
}
