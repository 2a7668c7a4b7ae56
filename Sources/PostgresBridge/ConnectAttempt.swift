internal import CLibPQ
internal import Synchronization

/// One connect, on a thread of its own, so that nobody has to wait for its end.
///
/// Only libpq's blocking calls give every host and address a timeout of its own; a look-up of names
/// blocks in any case, and nothing ends either. So who wants the connection waits here, as long as
/// he likes. What comes of an attempt that was left is thrown away by its thread, which ends with
/// the last address's timeout.
final class ConnectAttempt: Sendable {
    /// What an attempt hands over.
    // Safe: the thread that connected does not touch it any more.
    struct Connected: @unchecked Sendable {
        let handle: OpaquePointer
        let notices: NoticeReceiver
    }

    private enum State {
        case connecting
        case ended(Result<Connected, PostgresError>)
        case left
    }

    private let state = Mutex(State.connecting)
    private let wakeup = PostgresWakeup()

    init(_ configuration: PostgresConfiguration) {
        let ways = configuration.ways
        _ = PostgresThread(name: "sluice-pg-conn") { [self] in hand(over: connect(ways)) }
    }

    /// Waits for the connection.
    ///
    /// - Throws: `connectionFailed`, also when the patience is exhausted; the attempt is then left.
    func connected(_ patience: Patience) throws(PostgresError) -> Connected {
        while true {
            let timeout = patience.nextLook.map { max(.zero, $0 - .now) }
            if wakeup.wait(timeout: timeout), let result = result() { return try result.get() }
            if let reason = patience.exhausted() { return try leave(reason).get() }
        }
    }

    private func result() -> Result<Connected, PostgresError>? {
        state.withLock { state in
            guard case .ended(let result) = state else { return nil }
            return result
        }
    }

    /// It may have ended just now.
    private func leave(_ reason: String) -> Result<Connected, PostgresError> {
        state.withLock { state in
            if case .ended(let result) = state { return result }
            state = .left
            return .failure(PostgresError(kind: .connectionFailed, message: reason))
        }
    }

    private func hand(over result: Result<Connected, PostgresError>) {
        let isLeft = state.withLock { state in
            if case .left = state { return true }
            state = .ended(result)
            return false
        }
        if isLeft, case .success(let connected) = result { PQfinish(connected.handle) }
        wakeup.signal()
    }

    /// The first way that works, else what the first one came to.
    private func connect(_ ways: [[(String, String)]]) -> Result<Connected, PostgresError> {
        var first: Result<Connected, PostgresError>?
        for parameters in ways where !isLeft {
            let result = Self.connect(parameters)
            if case .success = result { return result }
            first = first ?? result
        }
        return first
            ?? .failure(PostgresError(kind: .connectionFailed, message: "nobody waits any more"))
    }

    private var isLeft: Bool {
        state.withLock { if case .left = $0 { true } else { false } }
    }

    private static func connect(
        _ parameters: [(String, String)]
    ) -> Result<Connected, PostgresError> {
        let started = CStrings.with(parameters.map(\.0)) { keywords in
            CStrings.with(parameters.map(\.1)) { values in
                PQconnectStartParams(keywords, values, 1)
            }
        }
        guard let handle = started else {
            return .failure(PostgresError(kind: .connectionFailed, message: "out of memory"))
        }
        let notices = NoticeReceiver()
        // libpq holds no reference to it.
        defer { withExtendedLifetime(notices) {} }
        if PQstatus(handle) != CONNECTION_BAD {
            // libpq prints what a server says during the login to stderr, unless a receiver is
            // set before; and only its blocking calls give every host its own timeout. So start,
            // set the receiver, and start over with the blocking call.
            PQsetNoticeReceiver(handle, NoticeReceiver.receive, notices.context)
            PQreset(handle)
        }
        guard PQstatus(handle) == CONNECTION_OK, PQsetnonblocking(handle, 1) == 0 else {
            let message = PostgresError.trimmed(PQerrorMessage(handle))
            PQfinish(handle)
            return .failure(PostgresError(kind: .connectionFailed, message: message))
        }
        return .success(Connected(handle: handle, notices: notices))
    }
}
