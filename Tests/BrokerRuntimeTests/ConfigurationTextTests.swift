import Testing

@testable import BrokerRuntime

@Suite("A configuration file") struct ConfigurationTextTests {
    @Test func `holds one key and value a line, with comments and white space anywhere`() throws {
        let text = "# head\n\n  listen = https://a:1 # tail\r\nkey=\tv#1\nempty =\n"
        #expect(
            try parseConfiguration(text, path: "c") == [
                ConfigurationEntry(name: "listen", value: "https://a:1", line: 3),
                ConfigurationEntry(name: "key", value: "v#1", line: 4),
                ConfigurationEntry(name: "empty", value: "", line: 5),
            ])
    }

    @Test func `refuses a line without an equals sign, with its number`() {
        let error = #expect(throws: ConfigurationError.self) {
            try parseConfiguration("a = 1\nlisten\n", path: "c")
        }
        #expect(error?.message == "c:2: the line is not of the form 'key = value'.")
    }

    @Test func `refuses a key that is set twice, with both lines`() {
        let error = #expect(throws: ConfigurationError.self) {
            try parseConfiguration("a = 1\n\na = 2\n", path: "c")
        }
        #expect(error?.message == "c:3: the key was set in line 1 already.")
    }
}

@Suite("What --print-config shows") struct ConfigurationReportTests {
    @Test func `names each value's source and never a secret`() throws {
        let report = try loaded(
            flags: ["--loops", "2", "--database-url", "postgresql://u:hunter2@db/x"]
        ).report
        #expect(report.contains("loops = 2  # --loops\n"))
        #expect(report.contains("limits.event_bytes = 1MiB  # default\n"))
        #expect(report.contains("# database_url is set, and not shown  # --database-url\n"))
        #expect(!report.contains("hunter2"))
    }

    @Test func `can be read back as a configuration file`() throws {
        let first = try loaded(flags: ["--loops", "2", "--tls-names", "a,b"])
        let second = try loaded(file: "c", files: ["c": first.report])
        #expect(second.loops == 2)
        #expect(second.tlsNames == ["a", "b"])
        #expect(second.sources["loops"] == .file(path: "c", line: 5))
    }
}
