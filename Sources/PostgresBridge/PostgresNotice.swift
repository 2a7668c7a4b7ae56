internal import CLibPQ

/// A NOTIFY that reached a listening connection.
package struct PostgresNotification: Sendable, Equatable {
    package var channel: String
    package var payload: String
    /// Who sent it; equal to our own `backendPID` for our own.
    package var backendPID: Int32

    package init(channel: String, payload: String, backendPID: Int32) {
        self.channel = channel
        self.payload = payload
        self.backendPID = backendPID
    }
}

/// A notice or warning that the server sent along.
package struct PostgresNotice: Sendable {
    package var severity: String
    package var sqlState: String?
    package var message: String
}

/// Hands libpq's notices to a closure.
final class NoticeReceiver {
    var handler: ((PostgresNotice) -> Void)?

    /// What libpq hands back to `receive`.
    // Safe: the connection owns the receiver and finishes its PGconn before it lets go of it.
    var context: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

    static let receive: PQnoticeReceiver = { context, result in
        guard let context, let result else { return }
        // Safe: `context` is the receiver of a live connection, see above; libpq clears `result`.
        let receiver = Unmanaged<NoticeReceiver>.fromOpaque(context).takeUnretainedValue()
        receiver.handler?(
            PostgresNotice(
                severity: PostgresError.field(SLUICE_DIAG_SEVERITY, of: result) ?? "NOTICE",
                sqlState: PostgresError.field(SLUICE_DIAG_SQLSTATE, of: result),
                message: PostgresError.field(SLUICE_DIAG_MESSAGE, of: result) ?? ""))
    }
}

extension PostgresConnection {
    /// Takes the notifications that have arrived, without waiting.
    package func notifications() throws(PostgresError) -> [PostgresNotification] {
        let handle = try open()
        guard consumeInput(handle) else { throw failure(handle) }
        collectNotifications(handle)
        defer { received.removeAll() }
        return received
    }

    /// Takes what libpq has already read; no system call.
    func collectNotifications(_ handle: OpaquePointer) {
        while let notification = PQnotifies(handle) {
            // Safe: the notification is ours until PQfreemem; its strings are copied before.
            defer { PQfreemem(notification) }
            received.append(
                PostgresNotification(
                    channel: String(cString: notification.pointee.relname),
                    payload: String(cString: notification.pointee.extra),
                    backendPID: notification.pointee.be_pid))
        }
    }
}
