internal import EventModel

/// What sessions cost that only wait: to open them, to keep them, and the kernel; at the end each
/// is to get one event.
package struct IdleConnections: BenchScenario, Equatable {
    package var connections = 10_000
    /// How long they wait.
    package var hold = Duration.seconds(5)
    /// How long the event may take to reach all.
    package var patience = Duration.seconds(120)

    package init() {}

    package struct Outcome: BenchOutcome {
        let connections: Int
        var opening: UsageMark.Span
        var subscribing: UsageMark.Span
        var holding: UsageMark.Span
        /// The broker's memory before, with all sessions open, and with all subscribed.
        var memory: (before: Int64, open: Int64, subscribed: Int64)?
        var kernel: (before: KernelMemory, after: KernelMemory)?
        /// Until the event had reached all.
        var event: LatencySummary
        var behind: Int
        package var delivered: DeliveryCheck.Tally
        package var end: String?

        package var isSound: Bool { delivered.isSound && behind == 0 }

        package var figures: [Figure] {
            let each = Double(connections)
            let count = Int64(connections)
            var figures: [Figure] = []
            figures.add("connections", "connections", .count, each)
            figures.add(
                "connections_per_s", "opened", .perSecond, each / opening.seconds)
            figures.add(opening, per: count, "handshake")
            figures.add(subscribing, per: count, "subscribe")
            if let memory {
                figures.add(
                    "memory_bytes_per_connection", "broker's memory for each connection", .bytes,
                    Double(memory.open - memory.before) / each)
                figures.add(
                    "memory_bytes_per_subscription", "broker's memory for its subscription",
                    .bytes, Double(memory.subscribed - memory.open) / each)
            }
            if let kernel {
                figures.add(
                    "kernel_bytes_per_connection", "kernel's memory, both ends", .bytes,
                    Double(kernel.after.bytes - kernel.before.bytes) / each)
                figures.add(
                    "kernel_buffer_bytes_per_connection", "of it in TCP's buffers", .bytes,
                    Double(kernel.after.bufferBytes - kernel.before.bufferBytes) / each)
            }
            figures.add(
                "idle_us_per_connection_s", "broker's CPU for each connection and second",
                .microseconds, holding.broker.map { Double($0) / each / holding.seconds })
            figures.add(event, key: "event", "one event to all")
            figures.addMemory(memory?.subscribed)
            return figures
        }
    }

    package func run(
        _ broker: BenchBroker, progress: @escaping @Sendable (String) -> Void
    ) async throws -> Outcome {
        try await broker.withTopics("idle", bytes: 0) { events in
            let publisher = try await LoadPublisher.open(events, broker.target, on: broker.probe)
            let memoryBefore = broker.memoryAtFirst
            let kernelBefore = KernelMemory.current()
            let start = broker.mark()
            let group = try await LoadGroup.open(
                connections, at: [LoadStart(event: events[0])], broker.target, on: broker.group
            ) { progress("\($0) of \(connections) connected") }
            let open = broker.mark()
            progress("subscribing")
            try await group.subscribe()
            let subscribed = broker.mark()
            let kernelAfter = KernelMemory.current()
            progress("waiting")
            try await Task.sleep(for: hold)
            let held = broker.mark()
            progress("one event")
            let head = try await publisher.publish(1, .outstanding(1)).heads
            let times = await group.wait(for: head, atMost: patience)
            let latency = LatencySummary(try await group.takeLatencies())
            progress("closing")
            let (tally, end) = try await group.finish()
            publisher.leave()
            return Outcome(
                connections: connections, opening: open.span(since: start),
                subscribing: subscribed.span(since: open), holding: held.span(since: subscribed),
                memory: Self.memory(memoryBefore, open, subscribed),
                kernel: kernelBefore.flatMap { before in kernelAfter.map { (before, $0) } },
                event: latency, behind: connections - Int(times.count), delivered: tally, end: end)
        }
    }

    private static func memory(
        _ before: Int64?, _ open: UsageMark, _ subscribed: UsageMark
    ) -> (Int64, Int64, Int64)? {
        guard let before, let open = open.broker, let subscribed = subscribed.broker else {
            return nil
        }
        return (before, open.residentBytes, subscribed.residentBytes)
    }
}
