internal import Synchronization
internal import Transport

/// Keeps the order of one connection's publishes when one of them has to wait before it is appended.
///
/// A publish waits when its token is not known yet, or when its condition has to be asked of the
/// database. Those behind it on the connection wait with it; those of other connections do not. Every
/// call is made on the connection's event loop.
final class ConnectionOrder: Sendable {
    private struct Line {
        var isHeld = false
        var waiting: [@Sendable () -> Void] = []
    }

    /// Lines that exist: while there are none, `isHeld` costs one load.
    private let count = Atomic(0)
    private let lines = Mutex<[String: Line]>([:])

    /// Whether a publish of the connection has to wait for an earlier one.
    func isHeld(_ connection: ConnectionInfo) -> Bool {
        guard count.load(ordering: .relaxed) > 0 else { return false }
        return lines.withLock { $0[connection.remoteAddress] != nil }
    }

    /// Makes the connection's next publishes wait until `release`.
    func hold(_ connection: ConnectionInfo) {
        lines.withLock { lines in
            lines[connection.remoteAddress, default: Line()].isHeld = true
            count.store(lines.count, ordering: .relaxed)
        }
    }

    /// Runs `body` after what waits already; the transport bounds how many requests a connection has.
    func wait(_ connection: ConnectionInfo, _ body: @escaping @Sendable () -> Void) {
        lines.withLock { $0[connection.remoteAddress, default: Line()].waiting.append(body) }
    }

    /// Lets those that wait go on, until one of them holds again.
    func release(_ connection: ConnectionInfo) {
        lines.withLock { $0[connection.remoteAddress]?.isHeld = false }
        while let next = next(connection) { next() }
    }

    private func next(_ connection: ConnectionInfo) -> (@Sendable () -> Void)? {
        lines.withLock { lines in
            guard var line = lines[connection.remoteAddress], !line.isHeld else { return nil }
            guard !line.waiting.isEmpty else {
                lines[connection.remoteAddress] = nil
                count.store(lines.count, ordering: .relaxed)
                return nil
            }
            let first = line.waiting.removeFirst()
            lines[connection.remoteAddress] = line
            return first
        }
    }
}
