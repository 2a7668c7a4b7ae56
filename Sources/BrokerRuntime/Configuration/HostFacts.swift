internal import FoundationEssentials
internal import Glibc

/// What defaults depend on: read once at the edge, an argument everywhere else.
package struct HostFacts: Sendable {
    package var environment: [String: String]
    package var isRoot: Bool
    package var hostName: String
    /// Processor cores that this process may use.
    package var cores: Int
    /// What relative paths begin at.
    package var directory: String

    package init(
        environment: [String: String], isRoot: Bool, hostName: String, cores: Int,
        directory: String
    ) {
        self.environment = environment
        self.isRoot = isRoot
        self.hostName = hostName
        self.cores = cores
        self.directory = directory
    }

    /// The machine and process that this runs on.
    package static func current() -> HostFacts {
        HostFacts(
            environment: ProcessInfo.processInfo.environment, isRoot: geteuid() == 0,
            hostName: ProcessInfo.processInfo.hostName,
            cores: ProcessInfo.processInfo.activeProcessorCount,
            directory: FileManager.default.currentDirectoryPath)
    }

    /// The home directory, if the environment names one; a system service may have none.
    package var home: String? { nonEmpty("HOME") }

    /// Where the managed database and the certificates live by default.
    var dataDirectory: String {
        if isRoot { return "/var/lib/sluice" }
        if let base = nonEmpty("XDG_DATA_HOME") { return base + "/sluice" }
        return (home ?? "/tmp") + "/.local/share/sluice"
    }

    /// Where `serve` tells the other commands how to reach it; `nil` without a home directory.
    package var connectionFile: String? {
        if let path = nonEmpty("SLUICE_CONNECTION_FILE") { return path }
        if let base = nonEmpty("XDG_CONFIG_HOME") { return base + "/sluice/connection.json" }
        return home.map { $0 + "/.config/sluice/connection.json" }
    }

    /// The host's first label, as one segment of a topic: other characters become `-`.
    package var hostSegment: String {
        let label = hostName.prefix { $0 != "." }
        let segment = label.unicodeScalars.prefix(60).map { scalar -> Character in
            let isWord = scalar.isASCII && (scalar.properties.isAlphabetic || scalar == "_")
            let isDigit = ("0"..."9").contains(scalar)
            return isWord || isDigit ? Character(scalar) : "-"
        }
        return segment.isEmpty ? "host" : String(segment)
    }

    /// The path from the root on: other processes, with other directories, are told of it.
    func absolute(_ path: String) -> String {
        if path.hasPrefix("/") { return path }
        let below = path.hasPrefix("./") ? path.dropFirst(2) : path[...]
        return below == "." ? directory : "\(directory)/\(below)"
    }

    private func nonEmpty(_ name: String) -> String? {
        environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }
}
