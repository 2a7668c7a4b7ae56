import FoundationEssentials
import Testing

@testable import BrokerRuntime

@Suite("The connection file") struct ConfigurationConnectionFileTests {
    private let directory = FileManager.default.temporaryDirectory
        .appendingPathComponent("sluice-\(UUID().uuidString)").path
    private let fixture = ConnectionFile(
        url: "https://127.0.0.1:8443", token: "slc_a_b", caFile: "/data/ca.pem", pid: 42,
        dataDirectory: "/data")

    private func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    @Test func `is read as written, for its owner alone`() throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let path = directory + "/deep/connection.json"

        try fixture.write(path: path)

        #expect(ConnectionFile.read(path: path) == fixture)
        #expect(try mode(path) == 0o600)
        #expect(try mode(directory + "/deep") == 0o700)
    }

    @Test func `replaces an older one that others could read`() throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let path = directory + "/connection.json"
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true)
        #expect(
            FileManager.default.createFile(
                atPath: path, contents: Data("{}".utf8), attributes: [.posixPermissions: 0o644]))

        try fixture.write(path: path)

        #expect(try mode(path) == 0o600)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: directory) == ["connection.json"])
    }

    @Test func `has the members that scripts read`() throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let path = directory + "/connection.json"
        try fixture.write(path: path)
        let text = try String(contentsOf: URL(filePath: path), encoding: .utf8)
        #expect(
            text == """
                {
                  "ca_file" : "/data/ca.pem",
                  "data_dir" : "/data",
                  "pid" : 42,
                  "token" : "slc_a_b",
                  "url" : "https://127.0.0.1:8443"
                }

                """)
    }

    @Test func `that is missing or broken is no file`() throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        #expect(ConnectionFile.read(path: directory + "/none.json") == nil)
    }

    @Test func `that can't be written is an error with the path and a remedy`() {
        let error = #expect(throws: ConfigurationError.self) {
            try fixture.write(path: "/proc/none/connection.json")
        }
        #expect(error?.message.contains("/proc/none/connection.json") == true)
    }
}
