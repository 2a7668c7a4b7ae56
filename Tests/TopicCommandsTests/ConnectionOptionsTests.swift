import ArgumentParser
import BrokerRuntime
import SluiceClient
import Testing

@testable import TopicCommands

@Suite("How a command finds the broker") struct ConnectionOptionsTests {
    private let written = ConnectionFile(
        url: "https://127.0.0.1:8443", token: "slc_file", caFile: "/data/ca.pem", pid: 1,
        dataDirectory: "/data")

    private func configuration(
        _ flags: [String] = [], environment: [String: String] = [:], hasFile: Bool = true
    ) throws -> ClientConfiguration {
        let host = HostFacts(
            environment: ["HOME": "/home/ada"].merging(environment) { $1 }, isRoot: false,
            hostName: "ada", cores: 1, directory: "/")
        return try ConnectionOptions.parse(flags).configuration(host: host) { path in
            #expect(path == "/home/ada/.config/sluice/connection.json")
            return hasFile ? written : nil
        }
    }

    @Test func `is the file that serve wrote, without any flag`() throws {
        let found = try configuration()
        #expect(found.address.description == "https://127.0.0.1:8443")
        #expect(found.token == "slc_file")
        #expect(found.caFile == "/data/ca.pem")
        #expect(!found.isInsecure)
    }

    @Test func `is the environment before the file, and a flag before both`() throws {
        let environment = ["SLUICE_TOKEN": "slc_environment", "SLUICE_CA_FILE": "/e.pem"]
        #expect(try configuration(environment: environment).token == "slc_environment")
        let found = try configuration(["--token", "slc_flag"], environment: environment)
        #expect(found.token == "slc_flag")
        #expect(found.caFile == "/e.pem")
    }

    @Test func `does not send the file's token to another broker`() throws {
        let found = try configuration(["--url", "https://elsewhere.example"])
        #expect(found.token == nil)
        #expect(found.caFile == nil)
    }

    @Test func `is a clear error when nothing says where`() {
        let error = #expect(throws: CommandFailure.self) { try configuration(hasFile: false) }
        #expect(error?.status == .unreachable)
        #expect(error?.remedy.contains("sluice serve") == true)
    }
}
