internal import EventModel
internal import NIOCore

/// Subscribers of a topic, or of some in turn, over the load's event loops.
struct LoadGroup: Sendable {
    private struct Member: Sendable {
        let subscriber: NIOLoopBound<LoadSubscriber>
        let latencies: NIOLoopBound<LoopLatencies>
        /// Which of the scenario's topics it has.
        let topic: Int

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
    /// why the first that could not be opened was not.
    static func open(
        _ count: Int, at starts: [LoadStart], isSubscribing: Bool = false, _ target: LoadTarget,
        on group: any EventLoopGroup, atOnce: Int = opensMax,
        progress: @Sendable (Int) -> Void = { _ in }
    ) async throws -> LoadGroup {
        let sources = try Sources(target, count: count)
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
                    let member = try await open(
                        start, target, from: try sources.address(of: index), on: group, ofLoops)
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
        _ start: LoadStart, _ target: LoadTarget, from source: SocketAddress?,
        on group: any EventLoopGroup, _ latencies: [NIOLoopBound<LoopLatencies>]
    ) async throws -> Member {
        let session = try await LoadSession.open(target, from: source, on: group)
        let loop = session.eventLoop
        guard let ofLoop = latencies.first(where: { $0.eventLoop === loop }) else {
            preconditionFailure("bug: a session on a loop of another group")
        }
        return try await loop.submit {
            let subscriber = LoadSubscriber(session.value, at: start)
            subscriber.latencies = ofLoop.value
            let arrivals = ofLoop.value.arrivals(of: start.topic)
            arrivals.join()
            subscriber.arrivals = arrivals
            return Member(
                subscriber: NIOLoopBound(subscriber, eventLoop: loop), latencies: ofLoop,
                topic: start.topic)
        }.get()
    }

    // MARK: All of them

    /// All subscribe at once; returns when all have.
    func subscribe() async throws { try await all { $0.subscribe(on: $1) } }

    /// Waits until all have everything up to their topic's offset, at most so long.
    ///
    /// - Returns: For each that has it, how long that took since `start`, in ns.
    func wait(
        for offsets: [Offset], since start: ContinuousClock.Instant = .now,
        atMost patience: Duration
    ) async -> LatencyHistogram {
        await withTaskGroup(of: Duration?.self) { tasks in
            for member in members {
                tasks.addTask {
                    let offset = offsets[member.topic]
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

    /// Has each loop tell, from there, which event of which topic is through: has arrived at all of
    /// the loop's subscribers.
    ///
    /// - Returns: The topics, once for each loop that has subscribers of it.
    func tell(_ through: @escaping @Sendable (Int, Offset) -> Void) async throws -> [Int] {
        var topics: [Int] = []
        for ofLoop in latencies {
            topics += try await ofLoop.eventLoop.submit { ofLoop.value.tell(through) }.get()
        }
        return topics
    }

    /// How many events and how many TLS records have come.
    func counts() async throws -> (events: Int64, records: Int) {
        var sum = (events: Int64(0), records: 0)
        for member in members {
            let (events, records) = try await member.loop.submit {
                (member.subscriber.value.check.tally.events, member.subscriber.value.records)
            }.get()
            sum.events += events
            sum.records += records
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

    /// Ends the group; returns what all have seen, and why the first that ended did, when all have
    /// closed their sockets, so that others may have as many.
    func finish() async throws -> (DeliveryCheck.Tally, end: String?) {
        let found = try await tally()
        try await leave()
        return found
    }

    private func leave() async throws {
        let left = members.map { member in
            member.loop.submit { member.subscriber.value.leave() }
        }
        for future in left { try await future.get() }
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

/// Where a group's connections come from.
private struct Sources {
    /// `nil`: from wherever the system likes.
    private let addresses: SourceAddresses?

    /// - Throws: When the broker is not on 127/8, and there are not as many ports.
    init(_ target: LoadTarget, count: Int) throws(BenchError) {
        let all = SourceAddresses.current()
        guard all.areNeeded(for: count) else {
            addresses = nil
            return
        }
        guard target.isLoopback else {
            throw BenchError(
                "\(count) connections to \(target.name) need more ports than one address has.",
                remedy: "Take at most \(all.ofEach), or connect to 127.0.0.1 on the broker's "
                    + "machine, where each address of 127/8 is a source of its own.")
        }
        addresses = all
    }

    /// The address of the connection of this number.
    func address(of index: Int) throws -> SocketAddress? {
        try addresses?.address(of: index).map { try SocketAddress(ipAddress: $0, port: 0) }
    }
}
