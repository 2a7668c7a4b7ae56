internal import FoundationEssentials
internal import Glibc

/// Where everything lies in the broker's data directory.
struct ClusterLayout: Sendable {
    /// The broker's data directory: absolute, without links.
    let root: String

    /// Owned by the server's user, mode 0700: holds the cluster, the socket and the server's log.
    var home: String { root + "/postgres" }
    var data: String { home + "/data" }
    /// What initdb works on, so that `data` is either whole or absent.
    var unfinished: String { home + "/data.unfinished" }
    var versionFile: String { data + "/PG_VERSION" }
    var pidFile: String { data + "/postmaster.pid" }
    var log: String { home + "/postgres.log" }
    var oldLog: String { home + "/postgres.log.1" }
    /// Remembers a socket directory outside of `home`.
    var socketNote: String { home + "/socket_directory" }
    var lockFile: String { root + "/broker.lock" }

    /// Creates the data directory if it is absent.
    init(directory: String) throws(ManagedPostgresError) {
        let path =
            directory.hasPrefix("/")
            ? directory : FileManager.default.currentDirectoryPath + "/" + directory
        try DataDirectory.make(path)
        guard let resolved = realpath(path, nil) else {
            throw Self.failure("reach", path, errno)
        }
        defer { free(resolved) }
        root = String(cString: resolved)
    }

    static func failure(_ verb: String, _ path: String, _ error: Int32) -> ManagedPostgresError {
        ManagedPostgresError(
            "Cannot \(verb) \(path): \(String(cString: strerror(error))).",
            remedy: "Give the broker's user access to it, or choose another data directory.")
    }
}

/// What lies at a path; links are followed.
struct FileStatus {
    let uid: UInt32
    let mode: mode_t
    let bytes: Int
    let isDirectory: Bool
    private let device: dev_t
    private let inode: ino_t

    init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        uid = status.st_uid
        mode = status.st_mode & 0o7777
        bytes = Int(status.st_size)
        isDirectory = status.st_mode & S_IFMT == S_IFDIR
        device = status.st_dev
        inode = status.st_ino
    }

    func isSame(as other: FileStatus) -> Bool {
        device == other.device && inode == other.inode
    }
}

/// The broker's claim on its data directory, until it is let go or the process ends.
final class DirectoryLock: Sendable {
    private let descriptor: Int32

    /// Refuses at once if another broker holds it; nobody adopts the server of a living broker.
    init(_ layout: ClusterLayout) throws(ManagedPostgresError) {
        descriptor = open(layout.lockFile, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644)
        guard descriptor >= 0 else {
            throw ClusterLayout.failure("open", layout.lockFile, errno)
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let holder = (try? String(contentsOfFile: layout.lockFile, encoding: .utf8)) ?? ""
            let pid = Int32(holder.trimmingPrefix(" ").prefix { $0.isNumber })
            throw ManagedPostgresError(
                "The data directory \(layout.root) is in use by another broker"
                    + (pid.map { " (process \($0))." } ?? "."),
                remedy: "Stop that broker, or give this one a data directory of its own.")
        }
        let text = Array("\(getpid())\n".utf8)
        // The number is for the message above; the lock holds without it.
        ftruncate(descriptor, 0)
        _ = write(descriptor, text, text.count)
    }

    /// Also when `init` throws: the descriptor is set by then.
    deinit { _ = Glibc.close(descriptor) }
}
