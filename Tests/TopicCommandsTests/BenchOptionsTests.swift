import ArgumentParser
import BrokerRuntime
import Foundation
import SluiceClient
import Testing

@testable import TopicCommands

@Suite("The options of sluice bench")
struct BenchOptionsTests {
    private let host = HostFacts(
        environment: [
            "SLUICE_URL": "https://first:1", "SLUICE_TOKEN": "slc_first", "HOME": "/nonexistent",
        ], isRoot: false, hostName: "h", cores: 2, directory: "/")

    private func configuration(_ words: String...) throws -> ClientConfiguration? {
        try AgainstOptions.parse(words).configuration(host: host)
    }

    @Test("have no second broker unless it is said")
    func none() throws { #expect(try configuration() == nil) }

    @Test("do not show the first broker's token to the second")
    func ownToken() throws {
        let found = try #require(try configuration("--against", "https://second:2"))
        #expect(found.address == (try BrokerAddress("https://second:2")))
        #expect(found.token == nil)
        #expect(!found.isInsecure)
    }

    @Test("take all about the second broker from its connection file")
    func file() throws {
        let path = FileManager.default.temporaryDirectory
            .appending(path: "against-\(UInt32.random(in: 0 ... .max)).json").path()
        try ConnectionFile(
            url: "https://second:2", token: "slc_second", caFile: "/ca.pem", pid: 1,
            dataDirectory: "/"
        ).write(path: path)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let found = try #require(try configuration("--against-connection-file", path))
        #expect(found.address == (try BrokerAddress("https://second:2")))
        #expect(found.token == "slc_second")
        #expect(found.caFile == "/ca.pem")
    }

    @Test(
        "say what is wrong with them",
        arguments: [
            (["fanout", "--topics", "2", "--subscribers", "1"], "at most --subscribers"),
            (["fanout", "--outstanding", "2", "--rate", "5"], "either --outstanding or --rate"),
            (["fanout", "--outstanding", "1001"], "must be 1 to 1000"),
            (["latency", "--rate", "0"], "must be above 0"),
            (["publish", "--connections", "20"], "at least as many as these"),
            (["publish", "--batch", "10001"], "--batch must be 1 to 10000"),
            (["idle", "--connections", "0"], "must be 1 to 1000000"),
            (["filters", "--filters", "101"], "1 to --subscribers"),
            (["filters", "--share", "101"], "must be 0 to 100"),
            (["idle", "--server-pid", "1,two"], "no list like 41,42"),
            (["idle", "--server-pid", "1,2147483647"], "2147483647 is no process"),
            (["slow", "--against-insecure"], "Say with --against"),
            (
                ["storm", "--against", "https://h:1", "--against-pid", "2147483647"],
                "is no process"
            ),
            (["publish", "--pairs", "0"], "--pairs must be 1 to 1000"),
        ])
    func wrong(words: [String], text: String) {
        #expect {
            _ = try SluiceCommand.parseAsRoot(["bench"] + words)
        } throws: { error in
            SluiceCommand.fullMessage(for: error).contains(text)
        }
    }

    @Test("refuse a connection file that is none")
    func noFile() throws {
        #expect {
            _ = try configuration("--against-connection-file", "/nonexistent")
        } throws: { ($0 as? CommandFailure)?.status == .usage }
    }
}
