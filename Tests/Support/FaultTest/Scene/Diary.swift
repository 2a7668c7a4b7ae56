internal import Glibc
internal import Synchronization

/// What happened, said as it happens, and the ledger; shared by all parts of a run.
package final class Diary: Sendable {
    private let ledger = Mutex(Ledger())
    private let began = ContinuousClock.now
    private let isQuiet: Bool

    /// - Parameter isQuiet: Nothing is printed.
    package init(isQuiet: Bool) { self.isQuiet = isQuiet }

    package func change<Value>(_ body: (inout sending Ledger) -> sending Value) -> Value {
        ledger.withLock(body)
    }

    /// Says a line, with the time since the run began.
    package func note(_ words: String) {
        guard !isQuiet else { return }
        let milliseconds = Int((ContinuousClock.now - began) / .milliseconds(1))
        print("\(milliseconds / 1000).\(milliseconds / 100 % 10) s  \(words)")
        fflush(nil)
    }

    /// A broken promise that was seen elsewhere than in the ledger.
    package func violated(_ words: String) {
        note("BROKEN: \(words)")
        ledger.withLock { $0.violated(words) }
    }
}
