import EventModel
import FoundationEssentials
import Testing

@testable import BrokerRuntime

@Suite("The documentation") struct DocumentationTests {
    private static func page(_ name: String) throws -> String {
        let repository = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let path = "/\(repository)/Sources/Documentation.docc/\(name)"
        let data = try #require(FileManager.default.contents(atPath: path))
        return String(decoding: data, as: UTF8.self)
    }

    /// A row for a key, with its default on a host where everything has its usual place.
    private static func row(_ key: ConfigurationKey) -> String {
        let host = HostFacts(
            environment: ["HOME": "~"], isRoot: false, hostName: "host", cores: 2, directory: "/")
        let value = key.show(BrokerConfiguration(host: host))
        let usual =
            switch key.name {
            case "node": "the host's name"
            case "loops": "the processor's cores"
            case "data_dir": "`\(value)`; `/var/lib/sluice` for root"
            default: value.isEmpty ? "" : "`\(value)`"
            }
        let form = key.form.replacing("|", with: " or ")
        return "| `\(key.name)` | \(form) | \(usual) | \(key.summary) |"
    }

    @Test func `has a row for every key of the configuration, and for no other`() throws {
        let text = try Self.page("CommandLine.md")
        let rows = try #require(text.split(separator: "\n## ").first { $0.hasPrefix("The keys") })
            .split(separator: "\n").filter { $0.hasPrefix("| `") }.map(String.init)
        #expect(rows == ConfigurationKey.all.map(Self.row))
    }

    @Test func `names every code of an error beside its status`() throws {
        let text = try Self.page("HTTP.md")
        let rows = try #require(text.split(separator: "\n## ").first { $0.hasPrefix("Errors") })
            .split(separator: "\n").filter { $0.hasPrefix("| ") && $0.contains("`") }
        var named: [String: Int] = [:]
        for row in rows {
            let cells = row.split(separator: "|").map { $0.filter { $0 != " " } }
            for code in cells[1].split(separator: "`") { named[String(code)] = Int(cells[0]) }
        }
        let codes = ErrorCode.allCases.map { ($0.rawValue, $0.httpStatus) }
        #expect(named == Dictionary(uniqueKeysWithValues: codes))
    }
}
