internal import FoundationEssentials
internal import Glibc
internal import PostgresBridge

/// An installed PostgreSQL server: `initdb` and `postgres` of one major version.
struct PostgresBinaries: Sendable {
    static let oldestMajor = 14

    let directory: String
    let major: Int

    var initdb: String { directory + "/initdb" }
    var postgres: String { directory + "/postgres" }

    /// The newest installed version, or the one that an existing cluster needs.
    ///
    /// - Parameters:
    ///   - preferred: The only directory to look into, if given.
    ///   - clusterMajor: The cluster's version: a server opens only clusters of its own.
    /// - Throws: What was found instead, and what to install.
    init(preferred: String?, clusterMajor: Int?) throws(ManagedPostgresError) {
        let places = preferred.map { [$0] } ?? Self.places()
        let installed = places.compactMap { Self.inspect($0) }.sorted { $0.major > $1.major }
        let usable = installed.first { server in
            if let clusterMajor { return server.major == clusterMajor }
            return server.major >= Self.oldestMajor
        }
        if let usable {
            self.init(directory: usable.directory, major: usable.major)
            return
        }
        let found = installed.map { "\($0.major) in \($0.directory)" }.joined(separator: ", ")
        let needed = clusterMajor.map { "\($0)" } ?? "\(Self.oldestMajor) or newer"
        throw ManagedPostgresError(
            "PostgreSQL \(needed) is needed to run the broker's own database; "
                + (found.isEmpty ? "no server was found" : "found \(found)")
                + (preferred.map { " (looked in \($0))." } ?? "."),
            remedy: clusterMajor.map {
                "Install postgresql-\($0), or move the data with pg_upgrade."
            }
                ?? "Install it (apt install postgresql), or set database_url to a server elsewhere."
        )
    }

    private init(directory: String, major: Int) {
        self.directory = directory
        self.major = major
    }

    /// Debian's and Red Hat's directories, then PATH.
    private static func places() -> [String] {
        var places: [String] = []
        for (parent, prefix) in [("/usr/lib/postgresql", ""), ("/usr", "pgsql-")] {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? []
            places += names.filter { name in
                name.hasPrefix(prefix) && Int(name.dropFirst(prefix.count)) != nil
            }.map { "\(parent)/\($0)/bin" }
        }
        return places + searchPath()
    }

    static func findInPath(_ name: String) -> String? {
        (searchPath() + ["/usr/bin", "/bin", "/usr/sbin"]).map { $0 + "/" + name }
            .first { access($0, X_OK) == 0 }
    }

    private static func searchPath() -> [String] {
        guard let path = getenv("PATH") else { return [] }
        return String(cString: path).split(separator: ":").map(String.init)
            .filter { $0.hasPrefix("/") }
    }

    /// Asks the server for its version; nil if there is none.
    private static func inspect(_ directory: String) -> PostgresBinaries? {
        let names = ["initdb", "postgres"].map { directory + "/" + $0 }
        guard names.allSatisfy({ access($0, X_OK) == 0 }) else { return nil }
        var template = Array("/tmp/sluice-version-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else { return nil }
        close(descriptor)
        let output = String(
            decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { unlink(output) }
        guard
            let process = try? ServerProcess(
                command: [names[1], "--version"], environment: ["LC_ALL=C"], directory: "/",
                output: output),
            process.wait(timeout: .seconds(10)) == .exited, process.isSuccess,
            let version = try? String(contentsOfFile: output, encoding: .utf8)
        else { return nil }
        // "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", or "17beta1".
        let words = version.split(separator: " ")
        guard words.count >= 3, let major = Int(words[2].prefix { $0.isNumber }) else { return nil }
        return PostgresBinaries(directory: directory, major: major)
    }
}
