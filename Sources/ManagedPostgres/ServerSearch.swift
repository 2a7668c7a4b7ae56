internal import FoundationEssentials
internal import Glibc
internal import Logging
internal import PostgresBridge

/// Which processes work in our cluster.
///
/// A number in a file proves nothing: it may have been given to somebody else since. A process
/// belongs to the cluster when its executable is `postgres` and its directory is the cluster's.
struct ServerSearch: Sendable {
    let layout: ClusterLayout
    let user: SystemUser

    enum PidFile: Equatable {
        case absent
        /// Empty or garbled, as after a power failure; postgres refuses to start over it.
        case unreadable
        case pid(Int32)
    }

    func pidFile() -> PidFile {
        guard let text = try? String(contentsOfFile: layout.pidFile, encoding: .utf8) else {
            return FileStatus(layout.pidFile) == nil ? .absent : .unreadable
        }
        guard let line = text.split(separator: "\n").first, let pid = Int32(line), pid > 0 else {
            return .unreadable
        }
        return .pid(pid)
    }

    enum Answer {
        case server, other
        /// The process may not be looked into (hidepid, another namespace).
        case unknown
    }

    func look(at pid: Int32) -> Answer {
        let data = layout.data
        return user.withFileAccess { Self.look(at: pid, in: data) }
    }

    /// Postmaster and backends alike.
    func servers() -> [Int32] {
        let data = layout.data
        return user.withFileAccess {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
            return names.compactMap { Int32($0) }.filter { Self.look(at: $0, in: data) == .server }
        }
    }

    /// Ends all of them, such as backends that survived their postmaster.
    ///
    /// A busy one sees that death only when it waits, and until then a new server is refused. They
    /// may be killed: what they committed is in the WAL, and nobody shares their memory any more.
    func endServers(_ logger: Logger) {
        for (signal, patience) in [(SIGTERM, 2.0), (SIGQUIT, 3.0), (SIGKILL, 5.0)] {
            let orphans = servers().compactMap { ServerProcess(adopting: $0) }
            if orphans.isEmpty { return }
            logger.warning(
                "ending backends of an earlier database server",
                metadata: ["count": "\(orphans.count)", "signal": "\(signal)"])
            orphans.forEach { $0.signal(signal) }
            let deadline = ContinuousClock.now + .seconds(patience)
            for orphan in orphans {
                _ = orphan.wait(timeout: max(.zero, deadline - .now))
            }
        }
    }

    /// Whether the number is taken by a process of the server's user (a zombie counts), which is
    /// when postgres takes a stale lock file for a living one (CreateLockFile in miscinit.c).
    func isTakenBySameUser(_ pid: Int32) -> Bool {
        FileStatus("/proc/\(pid)")?.uid == user.uid
    }

    /// Needs the rights of the process's user (ptrace(2), PTRACE_MODE_READ_FSCREDS): even root
    /// lacks them in a container without CAP_SYS_PTRACE.
    private static func look(at pid: Int32, in data: String) -> Answer {
        // By inode, as the cluster may be known under another path, or have been moved.
        guard let cluster = FileStatus(data) else { return .other }
        guard let directory = FileStatus("/proc/\(pid)/cwd/."),
            let executable = link("/proc/\(pid)/exe")
        else {
            // A zombie, like a process that is gone, has neither.
            return errno == ENOENT || errno == ESRCH ? .other : .unknown
        }
        // After an upgrade of the package the kernel appends " (deleted)".
        let name = executable.split(separator: "/").last ?? ""
        let isPostgres = name == "postgres" || name == "postgres (deleted)"
        return isPostgres && directory.isSame(as: cluster) ? .server : .other
    }

    private static func link(_ path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink(path, &buffer, buffer.count)
        guard count > 0 else { return nil }
        return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
