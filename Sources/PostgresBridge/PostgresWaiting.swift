internal import CLibPQ
internal import Glibc

/// Why `PostgresConnection.wait` returned.
package enum PostgresWaitOutcome: Sendable {
    /// The server sent something (or hung up): ask `nextResult` or `notifications`.
    case socket
    case woken
    case timedOut
}

/// Wakes a thread that waits on a connection.
///
/// Signals coalesce; `wait` takes them.
package final class PostgresWakeup: Sendable {
    let descriptor: Int32

    package init() {
        descriptor = sluice_eventfd()
        precondition(descriptor >= 0, "eventfd: errno \(errno); raise the limit of open files")
    }

    deinit { _ = Glibc.close(descriptor) }

    package func signal() {
        // The counter can only be full after 2^64 - 2 signals; then it is readable anyway.
        _ = eventfd_write(descriptor, 1)
    }

    /// Blocks until a signal or the timeout; true if there was a signal, which is then taken.
    package func wait(timeout: Duration? = nil) -> Bool {
        let deadline = timeout.map { ContinuousClock.now + $0 }
        while true {
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let ready = poll(&entry, 1, PollTimeout.milliseconds(until: deadline))
            if ready > 0 { return take() }
            if let deadline, ContinuousClock.now >= deadline { return false }
        }
    }

    /// Resets to not signalled; whether it was signalled.
    func take() -> Bool {
        var count: eventfd_t = 0
        return eventfd_read(descriptor, &count) == 0
    }
}

/// Rounds up, so that poll never returns just before a deadline and spins.
enum PollTimeout {
    static func milliseconds(until deadline: ContinuousClock.Instant?) -> Int32 {
        guard let deadline else { return -1 }
        let (seconds, attoseconds) = (deadline - .now).components
        if seconds < 0 || attoseconds < 0 { return 0 }
        if seconds >= 86_400 { return 86_400_000 }
        return Int32(seconds) * 1000
            + Int32((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}

extension PostgresConnection {
    /// Blocks until the server sent something, `wakeup` was signalled, or the timeout.
    ///
    /// Sends pending output meanwhile. The socket goes before the wakeup, whose signal is then
    /// kept for the next call: results are never starved by signals.
    package func wait(
        _ wakeup: PostgresWakeup?, timeout: Duration?
    ) throws(PostgresError) -> PostgresWaitOutcome {
        try wait(wakeup, until: timeout.map { ContinuousClock.now + $0 })
    }

    func wait(
        _ wakeup: PostgresWakeup?, until deadline: ContinuousClock.Instant?
    ) throws(PostgresError) -> PostgresWaitOutcome {
        let handle = try open()
        while true {
            let isPending = flush(handle)
            if hasUnread(handle) { return .socket }
            var entries = [
                pollfd(
                    fd: PQsocket(handle), events: Int16(isPending ? POLLIN | POLLOUT : POLLIN),
                    revents: 0),
                // poll skips negative descriptors.
                pollfd(fd: wakeup?.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
            ]
            guard entries[0].fd >= 0 else { throw failure(handle) }
            let ready = poll(&entries, 2, PollTimeout.milliseconds(until: deadline))
            if ready > 0 {
                if entries[0].revents & ~Int16(POLLOUT) != 0 { return .socket }
                if let wakeup, entries[1].revents != 0, wakeup.take() { return .woken }
            } else if ready < 0 && errno != EINTR {
                throw PostgresError(kind: .connectionLost, message: "poll: errno \(errno)")
            }
            if let deadline, ContinuousClock.now >= deadline { return .timedOut }
        }
    }

    /// Sends what the socket takes; true if something is left.
    ///
    /// A failure is not told: the socket is then readable, and reading gives the reason (57P01).
    private func flush(_ handle: OpaquePointer) -> Bool {
        PQflush(handle) == 1
    }

    /// Reads what the socket has, without waiting; false when the connection broke.
    func consumeInput(_ handle: OpaquePointer) -> Bool {
        guard PQconsumeInput(handle) == 1 else { return false }
        // The first read may leave a part of a TLS record in OpenSSL, which poll cannot see.
        return PQsslInUse(handle) == 0 || PQconsumeInput(handle) == 1
    }

    /// Whether libpq has read something already, so that poll may wait in vain: it also reads
    /// while it writes.
    private func hasUnread(_ handle: OpaquePointer) -> Bool {
        if outstanding > 0 && PQisBusy(handle) == 0 { return true }
        collectNotifications(handle)
        return outstanding == 0 && !received.isEmpty
    }
}
