internal import DurableLog
internal import EventModel
internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// Has the log woken once for all appends of one turn of an event loop, so that requests which
/// arrive in one read are one batch.
final class TurnAppends: Sendable {
    private let log: PostgresLog
    /// Whether a wake is on its way, by loop.
    private let turns = ThreadSpecificVariable<Turn>()

    private final class Turn: Sendable {
        let owesWake = Atomic(false)
    }

    init(_ log: PostgresLog) { self.log = log }

    /// As `EventLog.append`; from a thread that is no loop's it goes to the log at once.
    func append(_ request: AppendRequest, completion: @escaping AppendCompletion) {
        guard let loop = MultiThreadedEventLoopGroup.currentEventLoop else {
            return log.append(request, completion: completion)
        }
        log.appendLater(request, completion: completion)
        let turn = turns.currentValue ?? Turn()
        guard !turn.owesWake.exchange(true, ordering: .relaxed) else { return }
        turns.currentValue = turn
        loop.execute { [log] in
            turn.owesWake.store(false, ordering: .relaxed)
            log.wakeAppends()
        }
    }
}
