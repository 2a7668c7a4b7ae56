internal import Glibc
internal import Synchronization

/// What happened, said as it happens, and the ledger; shared by all parts of a run.
package final class Diary: Sendable {
    private let ledger = Mutex(Ledger())
    private let began = ContinuousClock.now
    private let isQuiet: Bool
    private let faults = Mutex<[Fault.Kind: Int]>([:])

    /// - Parameter isQuiet: Nothing is printed.
    package init(isQuiet: Bool) { self.isQuiet = isQuiet }

    package func change<Value>(_ body: (inout sending Ledger) -> sending Value) -> Value {
        defer { for words in ledger.withLock({ $0.takeUntold() }) { note(words) } }
        return ledger.withLock(body)
    }

    /// Says a line, with the time since the run began.
    package func note(_ words: String) {
        guard !isQuiet else { return }
        let milliseconds = Int((ContinuousClock.now - began) / .milliseconds(1))
        print("\(milliseconds / 1000).\(milliseconds / 100 % 10) s  \(words)")
        fflush(nil)
    }

    func performed(_ kind: Fault.Kind) { faults.withLock { $0[kind, default: 0] += 1 } }

    /// How often each fault was performed.
    var faultCounts: [Fault.Kind: Int] { faults.withLock { $0 } }

    /// Does what must come to pass, again and again for a while.
    func attempt(_ what: String, _ body: () throws -> Void) {
        for _ in 1...20 {
            do { return try body() } catch { note("  … cannot \(what): \(error)") }
            usleep(500_000)
        }
        violated("cannot \(what)")
    }

    /// A broken promise that was seen elsewhere than in the ledger.
    package func violated(_ words: String) { change { $0.violated(words) } }
}
