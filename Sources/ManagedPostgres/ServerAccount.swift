internal import FoundationEssentials
internal import Glibc
internal import PostgresBridge

/// The user as whom PostgreSQL runs.
///
/// PostgreSQL refuses root, so a broker that is root hands it to another. An ordinary broker runs
/// the server as itself, and everything belongs to that user. A broker that is root takes the owner
/// of an existing cluster, otherwise the first of `candidates` with a passwd entry (initdb insists
/// on one), gives it `DIR/postgres` and starts it through setpriv.
struct ServerAccount: Sendable {
    static let candidates = ["sluice", "postgres", "nobody"]

    let user: SystemUser
    /// Set when the broker is root: the absolute path of setpriv.
    let setpriv: String?

    init(for layout: ClusterLayout) throws(ManagedPostgresError) {
        let owner = FileStatus(layout.data)?.uid
        if geteuid() == 0 {
            user = try Self.underRoot(owner, layout)
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
            setpriv = nil
        }
    }

    private static func underRoot(
        _ owner: UInt32?, _ layout: ClusterLayout
    ) throws(ManagedPostgresError) -> SystemUser {
        if let owner {
            guard owner != 0, let user = SystemUser.withID(owner) else {
                throw foreign(layout, owner, is: "root")
            }
            return user
        }
        for name in candidates {
            if let user = SystemUser.named(name), user.uid != 0 { return user }
        }
        throw ManagedPostgresError(
            "The broker runs as root, PostgreSQL does not, and there is no user to run it as.",
            remedy: "Create one: useradd --system sluice; or run the broker as an ordinary user.")
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

    /// The command as the server's user.
    func command(_ command: [String]) -> [String] {
        guard let setpriv else { return command }
        return [
            setpriv, "--reuid=\(user.uid)", "--regid=\(user.gid)", "--clear-groups", "--",
        ] + command
    }
}
