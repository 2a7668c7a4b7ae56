internal import FoundationEssentials
internal import Glibc

/// What `serve` leaves for the other commands of the same user, so that they need no flags.
///
/// It holds a token, so it is readable for its owner alone. It stays when the broker ends: the next
/// start finds the token in it again, and the other commands can say whose broker is not running.
package struct ConnectionFile: Codable, Equatable, Sendable {
    /// The broker's address, like `https://127.0.0.1:8443`.
    package var url: String
    package var token: String?
    /// The authority that signed the broker's certificate; absent if the system knows it.
    package var caFile: String?
    /// The broker's process.
    package var pid: Int32
    package var dataDirectory: String

    private enum CodingKeys: String, CodingKey {
        case url
        case token
        case caFile = "ca_file"
        case pid
        case dataDirectory = "data_dir"
    }

    package init(url: String, token: String?, caFile: String?, pid: Int32, dataDirectory: String) {
        self.url = url
        self.token = token
        self.caFile = caFile
        self.pid = pid
        self.dataDirectory = dataDirectory
    }

    /// Reads the file.
    ///
    /// - Returns: `nil` if there is none or it is not of this form.
    package static func read(path: String) -> ConnectionFile? {
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        return try? JSONDecoder().decode(ConnectionFile.self, from: data)
    }

    /// Writes the file with mode 0600 in one step: a reader sees the old one or the new one, whole.
    ///
    /// The directory is made with mode 0700 if it is missing.
    /// - Throws: `ConfigurationError` with the path and the system's reason.
    package func write(path: String) throws(ConfigurationError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do {
            let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
            if !directory.isEmpty, !FileManager.default.fileExists(atPath: directory) {
                try FileManager.default.createDirectory(
                    atPath: directory, withIntermediateDirectories: true,
                    attributes: [.posixPermissions: 0o700])
            }
            let text = try encoder.encode(self) + Data("\n".utf8)
            let temporary = "\(path).\(getpid()).new"
            unlink(temporary)
            // The mode is given at creation: a file that is narrowed afterwards could be opened in
            // between.
            let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
            guard file >= 0 else { throw Self.failure(path, "open") }
            defer { close(file) }
            guard Glibc.write(file, Array(text), text.count) == text.count, fsync(file) == 0,
                rename(temporary, path) == 0
            else { throw Self.failure(path, "write") }
        } catch let error as ConfigurationError {
            throw error
        } catch {
            throw ConfigurationError(
                "The connection file \(path) can't be written: \(error).",
                remedy: "Set SLUICE_CONNECTION_FILE to a path that can be written.")
        }
    }

    private static func failure(_ path: String, _ step: String) -> ConfigurationError {
        ConfigurationError(
            "The connection file \(path) can't be written (\(step): \(String(cString: strerror(errno)))).",
            remedy: "Set SLUICE_CONNECTION_FILE to a path that can be written.")
    }
}
