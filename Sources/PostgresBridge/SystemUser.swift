internal import CLibPQ
internal import Glibc
internal import Synchronization

/// An entry of the passwd database.
///
/// PostgreSQL refuses to run as root or as a user without one.
package struct SystemUser: Sendable, Equatable {
    package var name: String
    package var uid: UInt32
    package var gid: UInt32

    /// The user that this process acts as; nil if it has no passwd entry.
    package static var current: SystemUser? { withID(geteuid()) }

    package static func named(_ name: String) -> SystemUser? {
        entry { getpwnam_r(name, $0, $1, $2, $3) }
    }

    package static func withID(_ uid: UInt32) -> SystemUser? {
        entry { getpwuid_r(uid, $0, $1, $2, $3) }
    }

    private static func entry(
        _ lookUp: (
            UnsafeMutablePointer<passwd>, UnsafeMutablePointer<CChar>, Int,
            UnsafeMutablePointer<UnsafeMutablePointer<passwd>?>
        ) -> Int32
    ) -> SystemUser? {
        var record = passwd()
        var found: UnsafeMutablePointer<passwd>?
        // Safe: the record's strings point into `buffer`; they are copied while it is pinned.
        var buffer = [CChar](repeating: 0, count: 16_384)
        return buffer.withUnsafeMutableBufferPointer { buffer in
            guard let start = buffer.baseAddress,
                lookUp(&record, start, buffer.count, &found) == 0, found != nil
            else { return nil }
            return SystemUser(
                name: String(cString: record.pw_name), uid: record.pw_uid, gid: record.pw_gid)
        }
    }

    /// Runs `body` with this user's rights on files and on /proc, and waits for it.
    ///
    /// Only root can take another user's; the supplementary groups stay our own. Linux keeps these
    /// ids per thread (setfsuid(2)), so the work is done on a thread of its own.
    package func withFileAccess<Value: Sendable>(
        _ body: @escaping @Sendable () -> Value
    ) -> Value {
        if uid == geteuid() { return body() }
        let result = ResultBox<Value>()
        let (uid, gid) = (uid, gid)
        PostgresThread(name: "sluice-files") {
            setfsgid(gid)
            setfsuid(uid)
            let value = body()
            result.value.withLock { $0 = value }
        }.join()
        guard let value = result.value.withLock({ $0 }) else {
            preconditionFailure("bug: the thread ended without a result")
        }
        return value
    }

    private final class ResultBox<Value: Sendable>: Sendable {
        let value = Mutex<Value?>(nil)
    }
}
