internal import PostgresBridge
internal import Synchronization

/// Ends every wait of the thread that looks after the server, once and for good.
final class StopSignal: Sendable {
    private let isSet = Atomic(false)
    private let wakeup = PostgresWakeup()

    var isRaised: Bool { isSet.load(ordering: .acquiring) }

    func raise() {
        isSet.store(true, ordering: .releasing)
        wakeup.signal()
    }

    /// Waits; true when raised.
    func wait(_ timeout: Duration) -> Bool {
        isRaised || wakeup.wait(timeout: timeout)
    }

    /// Waits for the end of a process; `.woken` when raised.
    func wait(for process: ServerProcess, timeout: Duration?) -> ServerProcess.Outcome {
        isRaised ? .woken : process.wait(timeout: timeout, wakeup: wakeup)
    }
}
