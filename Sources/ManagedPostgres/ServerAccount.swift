internal import FoundationEssentials
internal import Glibc
internal import Logging
internal import PostgresBridge

/// The user as whom PostgreSQL runs.
///
/// PostgreSQL refuses root, so a broker that is root hands it to another. An ordinary broker runs
/// the server as itself, and everything belongs to that user. A broker that is root takes the owner
/// of an existing cluster, otherwise the first of `candidates` with a passwd entry (initdb insists
/// on one), gives it `DIR/postgres` and starts it through setpriv.
///
/// `nobody` is shared: each of its processes can read what belongs to it. A cluster that an earlier
/// version gave to it goes to one of `candidates`.
struct ServerAccount: Sendable {
    static let candidates = ["sluice", "postgres"]
    static let shared = "nobody"

    let user: SystemUser
    /// Whose the cluster still is, when it is to be taken over.
    let formerUser: SystemUser?
    /// Set when the broker is root: the absolute path of setpriv.
    let setpriv: String?

    init(for layout: ClusterLayout) throws(ManagedPostgresError) {
        let owner = FileStatus(layout.data)?.uid
        if geteuid() == 0 {
            user = try Self.underRoot(owner, layout)
            formerUser = owner == user.uid ? nil : owner.flatMap { SystemUser.withID($0) }
            guard let setpriv = PostgresBinaries.findInPath("setpriv") else {
                throw ManagedPostgresError(
                    "The broker runs as root, PostgreSQL does not, and setpriv is missing.",
                    remedy: "Install util-linux, or run the broker as an ordinary user.")
            }
            self.setpriv = setpriv
            try checkTraversal(layout)
        } else {
            guard let current = SystemUser.current else {
                throw ManagedPostgresError(
                    "The user \(geteuid()) has no passwd entry, which PostgreSQL's initdb needs.",
                    remedy: "Add one to /etc/passwd, or set database_url to a server elsewhere.")
            }
            if let owner, owner != current.uid {
                throw Self.foreign(layout, owner, is: current.name)
            }
            user = current
            formerUser = nil
            setpriv = nil
        }
    }

    private static func underRoot(
        _ owner: UInt32?, _ layout: ClusterLayout
    ) throws(ManagedPostgresError) -> SystemUser {
        let own = candidates.lazy.compactMap { SystemUser.named($0) }.first { $0.uid != 0 }
        if let owner {
            guard owner != 0, let user = SystemUser.withID(owner) else {
                throw foreign(layout, owner, is: "root")
            }
            return user.name == shared ? own ?? user : user
        }
        guard let own else {
            throw ManagedPostgresError(
                "The broker runs as root, PostgreSQL does not, and there is no user to run it as.",
                remedy: "Create one: useradd --system \(candidates[0]); or run the broker as an "
                    + "ordinary user.")
        }
        return own
    }

    private static func foreign(
        _ layout: ClusterLayout, _ owner: UInt32, is broker: String
    ) -> ManagedPostgresError {
        let name = SystemUser.withID(owner)?.name ?? "a user without a passwd entry"
        return ManagedPostgresError(
            "\(layout.data) belongs to \(name) (\(owner)); the broker runs as \(broker).",
            remedy: "Run the broker as the owner, or give \(layout.home) to the right user "
                + "with chown -R while no server runs.")
    }

    /// Finds the first directory on the way to the cluster that the server's user cannot pass.
    private func checkTraversal(_ layout: ClusterLayout) throws(ManagedPostgresError) {
        let root = layout.root
        let closed = user.withFileAccess { () -> String? in
            var path = ""
            for name in root.split(separator: "/") {
                path += "/" + name
                // Looking up "." needs the right to search the directory.
                if FileStatus(path + "/.") == nil { return path }
            }
            return nil
        }
        guard let closed else { return }
        let mode = FileStatus(closed).map { String($0.mode, radix: 8) } ?? "unknown"
        throw ManagedPostgresError(
            "The directory \(closed) (mode \(mode)) keeps out the user \(user.name), as whom "
                + "PostgreSQL runs because the broker is root.",
            remedy: "Use a data directory elsewhere, e.g. /var/lib/sluice, or chmod o+x "
                + "\(closed), or run the broker as an ordinary user.")
    }

    /// Creates a directory that only the server's user may enter; keeps an existing one.
    func makePrivateDirectory(_ path: String) throws(ManagedPostgresError) {
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
            throw ClusterLayout.failure("create", path, errno)
        }
        guard lchown(path, user.uid, user.gid) == 0, chmod(path, 0o700) == 0 else {
            throw ClusterLayout.failure("own", path, errno)
        }
    }

    /// Root found no user of the server's own for a cluster that belongs to `shared`.
    var isShared: Bool { setpriv != nil && user.name == Self.shared }

    /// Gives a cluster of `formerUser` to the server's user.
    ///
    /// A server that survived its broker is shut down first, as it could not go on. After a crash
    /// in between it is done again: the cluster's own directory changes hands last.
    func takeOver(_ layout: ClusterLayout, _ logger: Logger) throws(ManagedPostgresError) {
        guard let formerUser else { return }
        logger.notice(
            "giving the database cluster to a user of its own",
            metadata: ["from": "\(formerUser.name)", "to": "\(user.name)"])
        let search = ServerSearch(layout: layout, user: formerUser)
        if case .pid(let pid) = search.pidFile(), search.look(at: pid) == .server {
            let server = ServerProcess(adopting: pid)
            server?.signal(SIGINT)
            _ = server?.wait(timeout: ServerLaunch.shutdownTimeout)
        }
        search.endServers(logger)
        let command = [
            PostgresBinaries.findInPath("chown") ?? "/bin/chown", "-R", "-h",
            "\(user.uid):\(user.gid)", layout.home,
        ]
        let change: ServerProcess
        do {
            change = try ServerProcess(
                command: command, environment: ["LC_ALL=C"], directory: "/", output: "/dev/null")
        } catch {
            throw ServerEnvironment.notStarted(error)
        }
        _ = change.wait(timeout: nil)
        guard change.isSuccess else {
            throw ManagedPostgresError(
                "\(layout.home) cannot be given from \(formerUser.name) to \(user.name).",
                remedy: "Run \(command.joined(separator: " ")) while no server runs.")
        }
    }

    /// The command as the server's user.
    func command(_ command: [String]) -> [String] {
        guard let setpriv else { return command }
        return [
            setpriv, "--reuid=\(user.uid)", "--regid=\(user.gid)", "--clear-groups", "--",
        ] + command
    }
}
