internal import FoundationEssentials
internal import Glibc
internal import PostgresBridge

/// Who may log in to the cluster: `pg_hba.conf` and `pg_ident.conf`.
///
/// The kernel tells the server who is at the other end of the socket (peer, manual 21.9). Root and
/// the server's own account are the superuser `sluice`; others who get at the socket may at most be
/// a role of their own name.
struct AccessRules: Sendable {
    let layout: ClusterLayout
    let account: ServerAccount

    private var rulesFile: String { layout.data + "/pg_hba.conf" }
    private var mapFile: String { layout.data + "/pg_ident.conf" }

    private static let rules = """
        # Written by Sluice, which leaves the file alone once it was changed.
        # pg_ident.conf names the system users who are "sluice".
        local all sluice peer map=sluice
        local all all peer

        """

    /// Replaces rules as initdb made them (with trust, in clusters of earlier versions), and names
    /// root and the account in the map.
    ///
    /// Takes effect when the server starts or is sent SIGHUP.
    func write() throws(ManagedPostgresError) {
        let rules = read(rulesFile)
        if Self.lines(of: rules).allSatisfy(Self.isInitdbs) {
            try replace(rulesFile, by: Self.rules)
        }
        let map = read(mapFile)
        let names = [SystemUser.withID(0)?.name ?? "root", account.user.name]
        let known = Self.lines(of: map)
        let missing = names.map { "sluice \"\($0)\" sluice" }.filter { line in
            !known.contains { $0 == line.split(separator: " ") }
        }
        guard !missing.isEmpty else { return }
        let start = map.isEmpty || map.hasSuffix("\n") ? map : map + "\n"
        try replace(mapFile, by: start + missing.joined(separator: "\n") + "\n")
    }

    /// The fields of lines that are no comments.
    private static func lines(of text: String) -> [[Substring]] {
        text.split { $0.isNewline }.map { $0.split { $0 == " " || $0 == "\t" } }
            .filter { $0.first.map { !$0.hasPrefix("#") } ?? false }
    }

    /// `local all all trust`, `host all all ::1/128 reject` and the same for replication.
    private static func isInitdbs(_ fields: [Substring]) -> Bool {
        switch fields.first {
        case "local":
            fields.count == 4 && fields[2] == "all" && ["trust", "peer"].contains(fields[3])
        case "host": fields.last == "reject"
        default: false
        }
    }

    // The directory is the server's user's, so it is touched with that user's rights only.

    private func read(_ path: String) -> String {
        account.user.withFileAccess {
            String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
        }
    }

    private func replace(_ path: String, by text: String) throws(ManagedPostgresError) {
        let error = account.user.withFileAccess { () -> Int32? in
            let unfinished = path + ".unfinished"
            unlink(unfinished)
            let file = open(unfinished, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
            guard file >= 0 else { return errno }
            defer { close(file) }
            let bytes = Array(text.utf8)
            guard Glibc.write(file, bytes, bytes.count) == bytes.count, fsync(file) == 0,
                rename(unfinished, path) == 0
            else { return errno }
            return nil
        }
        if let error { throw ClusterLayout.failure("write", path, error) }
    }
}
