internal import FoundationEssentials
internal import Glibc
internal import Logging
internal import PostgresBridge

/// Brings the cluster into being: directories, initdb, and a place for the socket.
struct ClusterCreation: Sendable {
    let layout: ClusterLayout
    let account: ServerAccount
    let logger: Logger

    /// The longest path of a socket (unix(7): 108 bytes with the final NUL).
    static let socketPathBytesMax = 106
    static let socketName = ".s.PGSQL.5432"
    /// It needs a second, on a slow disk more.
    static let initdbTimeout = Duration.seconds(120)

    /// The major version of an existing cluster; nil when there is none yet.
    func existingMajor() throws(ManagedPostgresError) -> Int? {
        guard FileStatus(layout.data) != nil else { return nil }
        guard let text = try? String(contentsOfFile: layout.versionFile, encoding: .utf8),
            let major = Int(text.prefix { $0.isNumber })
        else {
            throw ManagedPostgresError(
                "\(layout.data) exists but is not a PostgreSQL cluster.",
                remedy: "Restore it from a backup, or move it away to begin with an empty log.")
        }
        return major
    }

    func prepareHome() throws(ManagedPostgresError) {
        try account.makePrivateDirectory(layout.home)
    }

    /// Runs initdb beside the final place and renames, so that a crash leaves no half cluster.
    func create(_ binaries: PostgresBinaries) throws(ManagedPostgresError) {
        let start = ContinuousClock.now
        logger.info(
            "creating the database cluster",
            metadata: ["directory": "\(layout.data)", "postgresql": "\(binaries.major)"])
        try? FileManager.default.removeItem(atPath: layout.unfinished)
        let logStart = FileStatus(layout.log)?.bytes ?? 0
        let process: ServerProcess
        do {
            process = try ServerProcess(
                command: account.command([
                    binaries.initdb, "-D", layout.unfinished, "-U", "sluice", "-E", "UTF8",
                    "--no-locale", "--auth-local=peer", "--auth-host=reject", "--data-checksums",
                    "--no-instructions",
                ]),
                environment: ServerEnvironment.variables(layout), directory: layout.home,
                output: layout.log)
        } catch {
            throw ServerEnvironment.notStarted(error)
        }
        if process.wait(timeout: Self.initdbTimeout) != .exited {
            process.signal(SIGTERM)
            _ = process.wait(timeout: .seconds(10))
        }
        guard process.isSuccess else {
            throw ManagedPostgresError(
                "initdb failed (\(process.ending ?? "no end")): "
                    + ServerEnvironment.logTail(layout, from: logStart),
                remedy: "Remove the cause and start again; \(layout.log) has the whole output.")
        }
        guard rename(layout.unfinished, layout.data) == 0 else {
            throw ClusterLayout.failure("rename", layout.unfinished, errno)
        }
        let home = open(layout.home, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        fsync(home)
        close(home)
        logger.info(
            "created the database cluster",
            metadata: ["milliseconds": "\((ContinuousClock.now - start) / .milliseconds(1))"])
    }

    /// Where the server's socket lies: `home`, unless that path is too long for a socket or libpq
    /// would take it for several hosts; then a private directory that `socketNote` remembers.
    func socketDirectory() throws(ManagedPostgresError) -> String {
        let path = layout.home + "/" + Self.socketName
        if path.utf8.count <= Self.socketPathBytesMax && !path.contains(",") {
            return layout.home
        }
        if let noted = notedSocketDirectory(), let status = FileStatus(noted),
            status.isDirectory, status.uid == account.user.uid, status.mode == 0o700
        {
            return noted
        }
        for parent in ["/run", "/tmp"] {
            var template = Array("\(parent)/sluice-XXXXXX".utf8CString)
            guard mkdtemp(&template) != nil else { continue }
            let made = String(
                decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
            try account.makePrivateDirectory(made)
            do {
                try made.write(toFile: layout.socketNote, atomically: true, encoding: .utf8)
            } catch {
                throw ClusterLayout.failure("write", layout.socketNote, errno)
            }
            return made
        }
        throw ClusterLayout.failure("create a directory for a socket in", "/tmp", errno)
    }

    /// Removes a socket directory outside of `home`, once no server uses it.
    func removeSocketDirectory() {
        guard let noted = notedSocketDirectory() else { return }
        rmdir(noted)
        unlink(layout.socketNote)
    }

    private func notedSocketDirectory() -> String? {
        try? String(contentsOfFile: layout.socketNote, encoding: .utf8)
    }
}

/// What initdb and postgres get from us, and what they tell.
enum ServerEnvironment {
    /// The broker's environment stays with the broker: PG… variables would change the server.
    static func variables(_ layout: ClusterLayout) -> [String] {
        ["PATH=/usr/bin:/bin", "HOME=\(layout.home)", "LC_ALL=C", "TZ=UTC"]
    }

    static func notStarted(_ failure: ServerProcess.StartFailure) -> ManagedPostgresError {
        ManagedPostgresError(
            "Cannot start \(failure.description).",
            remedy: "Check that PostgreSQL is installed and that its user may run it.")
    }

    /// What was appended to the server's log, its last lines only.
    static func logTail(_ layout: ClusterLayout, from start: Int) -> String {
        guard let text = FileManager.default.contents(atPath: layout.log) else { return "" }
        return text.dropFirst(start).split(separator: UInt8(ascii: "\n")).suffix(6)
            .map { String(decoding: $0, as: UTF8.self) }.joined(separator: " | ")
    }
}
