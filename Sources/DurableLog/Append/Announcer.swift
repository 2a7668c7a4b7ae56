internal import Dispatch
internal import EventModel
internal import Logging
internal import PostgresBridge
internal import Synchronization

/// Tells other nodes of new heads, on a connection of its own, so that neither an append nor an
/// announce waits for the other.
///
/// An announce is a hint: one that fails is not repeated, since the others' poll finds the events a
/// second later.
final class Announcer: Sendable {
    /// How long a stop waits for the last announce.
    private static let farewell = DispatchTimeInterval.seconds(1)

    private struct State {
        /// On its way; again on the next connection if this one is lost.
        var current: JournalAnnounce?
        /// What came meanwhile.
        var next: JournalAnnounce?
        var isSending = false
        var isStopping = false
    }

    private let context: LogContext
    private let connection: ReadInbox
    private let state = Mutex(State())
    private let isSilent = DispatchSemaphore(value: 0)

    init(_ context: LogContext) {
        self.context = context
        connection = ReadInbox(context, role: "announcer", threadCount: 1)
    }

    func start() { connection.start() }

    /// Sends what is left, for a second at the most, and ends the thread.
    func stop() {
        let isSending = state.withLock { state in
            state.isStopping = true
            return state.isSending
        }
        if isSending { _ = isSilent.wait(timeout: .now() + Self.farewell) }
        connection.stop()
    }

    /// One announce at a time; what comes meanwhile goes with the next.
    func announce(
        _ parts: [JournalPart], of writer: Int64, seq: Int64, in incarnation: String
    ) {
        guard !parts.isEmpty else { return }
        let isFirst = state.withLock { state in
            var next =
                state.next.flatMap { $0.incarnation == incarnation ? $0 : nil }
                ?? JournalAnnounce(incarnation: incarnation, writer: writer, seq: seq, heads: [:])
            next.seq = seq
            for part in parts { next.heads[part.topicID] = part.last }
            state.next = next
            defer { state.isSending = true }
            return !state.isSending
        }
        if isFirst { send() }
    }

    private func send() {
        connection.ask(
            ReadInbox.Question { [self] connection, incarnation throws(PostgresError) in
                if let announce = begin() {
                    try notify(announce, in: incarnation, on: connection)
                }
                sent()
            } fail: { [self] error in
                context.logger.warning("announce failed", metadata: ["error": "\(error)"])
                state.withLock { $0.next = nil }
                sent()
            })
    }

    private func notify(
        _ announce: JournalAnnounce, in incarnation: String, on connection: PostgresConnection
    ) throws(PostgresError) {
        guard announce.incarnation == incarnation else {
            throw PostgresError(
                kind: .connectionLost, message: "the log is in another incarnation")
        }
        for payload in announce.payloads() {
            _ = try connection.query(
                JournalAnnounce.notify, [.text(payload)], timeout: context.limits.lockTimeout)
        }
    }

    private func begin() -> JournalAnnounce? {
        state.withLock { state in
            if state.current == nil { swap(&state.current, &state.next) }
            return state.current
        }
    }

    private func sent() {
        let (goesOn, isLast) = state.withLock { state in
            state.current = nil
            state.isSending = state.next != nil
            return (state.isSending, state.isStopping && !state.isSending)
        }
        if goesOn { send() }
        if isLast { isSilent.signal() }
    }
}
