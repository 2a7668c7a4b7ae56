internal import EventModel
internal import Logging
internal import PostgresBridge
internal import Synchronization

/// The steps that keep the log in order, on a thread and a connection of their own: the outbox of
/// SQL publishers, retention, the journal's and the keys' age.
///
/// Every node takes part; each step's advisory lock, taken for its transaction, lets one of them do
/// it (doc:AppendAndFollow).
final class Housekeeper: Sendable {
    private let context: LogContext
    let watch: PartWatch
    private let wakeup = PostgresWakeup()
    private let isStopping = Mutex(false)
    private let thread = Mutex<PostgresThread?>(nil)

    init(_ context: LogContext) {
        self.context = context
        watch = PartWatch("housekeeping", isNeeded: false, logger: context.logger)
    }

    func start() {
        let thread = PostgresThread(name: "sluice-keep") { [self] in run() }
        self.thread.withLock { $0 = thread }
    }

    /// Ends the thread, whatever a step waits for: what was not committed is done by the next node.
    func stop() {
        isStopping.withLock { $0 = true }
        wakeup.signal()
        thread.withLock { $0 }?.join()
    }

    /// A SQL publisher asked for its events to be told at once (`publish(…, wake => true)`).
    func drainSoon() { wakeup.signal() }

    private var isStopped: Bool { isStopping.withLock { $0 } }

    private func run() {
        var pause = ReconnectPause()
        var clock = ClockCheck(context)
        var lostDrain = LostDrain(context)
        while !isStopped {
            var current: String?
            do throws(PostgresError) {
                let (connection, entered) = try context.connect(
                    role: "housekeeper", settings: ConnectionSettings.housekeeper(context.limits),
                    while: { [self] in
                        watch.look()
                        return !isStopped && context.incarnation.isStill(current)
                    }, setUp: OutboxDrain.prepare)
                defer { connection.close() }
                current = entered
                try lostDrain.find(in: entered, on: connection)
                pause.reset()
                watch.wentUp(in: entered)
                try keep(connection, entered, &clock, &lostDrain)
            } catch {
                if !isStopped { watch.lost(error) }
            }
            if !isStopped { _ = wakeup.wait(timeout: pause.next()) }
        }
    }

    private func keep(
        _ connection: PostgresConnection, _ incarnation: String, _ clock: inout ClockCheck,
        _ lostDrain: inout LostDrain
    ) throws(PostgresError) {
        var outbox = OutboxDrain(incarnation: incarnation, context)
        var retention = RetentionRound(context)
        var chores = Chores(context)
        while !isStopped {
            watch.asked()
            lostDrain.asked()
            try outbox.step(on: connection)
            lostDrain.answered(outbox.lastSeq)
            try retention.step(on: connection)
            try chores.step(on: connection)
            try clock.step(in: incarnation, on: connection)
            watch.answered()
            _ = wakeup.wait(timeout: outbox.pause)
        }
    }
}

/// Runs a housekeeping statement: a refusal ends this try and nothing else, because the step comes
/// again.
func keeping<Value>(
    _ what: String, _ context: LogContext, _ body: () throws(PostgresError) -> Value
) throws(PostgresError) -> Value? {
    do throws(PostgresError) {
        return try body()
    } catch {
        guard !error.needsNewConnection else { throw error }
        // 40001: a topic was deleted meanwhile; 55P03: somebody holds a lock.
        let isExpected = ["40001", "40P01", "55P03"].contains(error.sqlState)
        context.logger.log(
            level: isExpected ? .debug : .error, "housekeeping step failed",
            metadata: ["step": "\(what)", "error": "\(error)"])
        return nil
    }
}
