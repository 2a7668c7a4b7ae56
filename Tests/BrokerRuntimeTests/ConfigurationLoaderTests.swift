import EventModel
import Logging
import NIOCore
import Testing
import Transport

@testable import BrokerRuntime

extension HostFacts {
    static func fixture(_ environment: [String: String] = [:], isRoot: Bool = false) -> HostFacts {
        HostFacts(
            environment: ["HOME": "/home/ada"].merging(environment) { $1 }, isRoot: isRoot,
            hostName: "ada-lab.example.org", cores: 4, directory: "/srv")
    }
}

/// Loads with files that exist in memory only.
func loaded(
    flags: [String] = [], environment: [String: String] = [:], file: String? = nil,
    files: [String: String] = [:]
) throws(ConfigurationError) -> BrokerConfiguration {
    var loader = ConfigurationLoader(host: .fixture(environment)) {
        path throws(ConfigurationError) in
        guard let text = files[path] else {
            throw ConfigurationError("\(path) can't be read.", remedy: "Check the path.")
        }
        return text
    }
    return try loader.load(flags: flags, file: file)
}

@Suite("A configuration said in several places") struct ConfigurationPrecedenceTests {
    let files = ["/etc/sluice.conf": "node = from-file\nloops = 2\nlog_level = debug\n"]

    @Test
    func `a flag beats the environment, the environment beats the file, the file the default`()
        throws
    {
        let configuration = try loaded(
            flags: ["--node", "from-flag"],
            environment: ["SLUICE_NODE": "from-environment", "SLUICE_LOOPS": "3"],
            file: "/etc/sluice.conf", files: files)

        #expect(configuration.node == "from-flag")
        #expect(configuration.loops == 3)
        #expect(configuration.logLevel == .debug)
        #expect(configuration.transport.connectionsMax == 100_000)
        #expect(
            configuration.sources == [
                "node": .flag("--node"), "loops": .environment("SLUICE_LOOPS"),
                "log_level": .file(path: "/etc/sluice.conf", line: 3),
            ])
    }

    @Test func `the file's path may come from the environment`() throws {
        let configuration = try loaded(
            environment: ["SLUICE_CONFIG": "/etc/sluice.conf"], files: files)
        #expect(configuration.node == "from-file")
    }

    @Test func `an empty variable counts as not set`() throws {
        #expect(try loaded(environment: ["SLUICE_LOOPS": ""]).loops == 4)
    }

    @Test func `repeated and comma-separated flags of a list add up, and replace other sources`()
        throws
    {
        let configuration = try loaded(
            flags: [
                "--listen", "https://127.0.0.1:1", "--listen=http://[::1]:2,http://localhost:3",
            ], environment: ["SLUICE_LISTEN": "https://127.0.0.1:9"])
        #expect(
            configuration.listen.map(\.description) == [
                "https://127.0.0.1:1", "http://[::1]:2", "http://localhost:3",
            ])
    }

    @Test func `the last of a repeated single value wins`() throws {
        #expect(try loaded(flags: ["--loops", "2", "--loops", "5"]).loops == 5)
    }

    @Test func `sizes and durations are read with their units`() throws {
        let limits = try loaded(flags: [
            "--limits-event-bytes", "64KiB", "--limits-heartbeat-interval=30s",
        ]).limits
        #expect(limits.eventBytesMax == 65_536)
        #expect(limits.heartbeatInterval == .seconds(30))
    }

    @Test func `the transport's own limits are keys like the others`() throws {
        let transport = try loaded(flags: [
            "--connections-max", "7", "--limits-header-bytes", "64KiB",
            "--limits-keep-alive-timeout", "2m",
        ]).transport
        #expect(transport.connectionsMax == 7)
        #expect(transport.headerBytesMax == 65_536)
        #expect(transport.keepAliveTimeout == .minutes(2))
        #expect(throws: ConfigurationError.self) {
            try loaded(flags: ["--limits-keep-alive-timeout", "2d"])
        }
    }

    @Test func `settings that the database keeps are said or left alone`() throws {
        #expect(try loaded().serverSettings == ServerSettingsChanges())
        let said = try loaded(flags: [
            "--create-topics", "false", "--topics-retain-age", "7d", "--topics-retain-count",
            "unlimited", "--topics-retain-bytes=1GiB", "--topics-key-window", "2d",
            "--limits-event-bytes", "64KiB",
        ]).serverSettings
        #expect(said.createsTopics == false)
        #expect(said.retainAge == .limited(.seconds(604_800)))
        #expect(said.retainCount == .unlimited && said.retainBytes == .limited(1 << 30))
        #expect(said.keyWindow == .seconds(172_800) && said.eventBytesMax == 65_536)
    }

    @Test func `what the database keeps comes into force, unless it contradicts the rest`() throws {
        var settings = ServerSettings()
        settings.createsTopics = false
        settings.topics.eventBytesMax = 2 << 20
        var configuration = try loaded()
        try configuration.take(settings)
        #expect(!configuration.createsTopics && configuration.limits.eventBytesMax == 2 << 20)
        var small = try loaded(flags: ["--limits-body-bytes", "1MiB"])
        #expect(throws: ConfigurationError.self) { try small.take(settings) }
    }

    @Test(arguments: [
        ("data", "/srv/data"), ("./data", "/srv/data"), (".", "/srv"), ("/d", "/d"),
    ]) func `a relative data directory is made absolute, as other processes are told of it`(
        said: String, directory: String
    ) throws {
        #expect(try loaded(flags: ["--data-dir", said]).dataDirectory == directory)
    }

    @Test func `a secret can be read from a file`() throws {
        let configuration = try loaded(
            environment: ["SLUICE_DATABASE_URL_FILE": "/run/secret"],
            files: ["/run/secret": "host=db password=hunter2\n"])
        #expect(configuration.databaseURL == "host=db password=hunter2")
    }
}

@Suite("The defaults") struct ConfigurationDefaultTests {
    @Test func `listen on loopback with TLS and tokens`() throws {
        let configuration = try loaded()
        #expect(configuration.listen.map(\.description) == ["https://127.0.0.1:8443"])
        #expect(configuration.auth == .token)
        #expect(configuration.node == "ada-lab")
        #expect(configuration.loops == 4)
    }

    @Test(arguments: [
        (HostFacts.fixture(isRoot: true), "/var/lib/sluice"),
        (.fixture(), "/home/ada/.local/share/sluice"),
        (.fixture(["XDG_DATA_HOME": "/data"]), "/data/sluice"),
    ]) func `put the data where the user may write`(host: HostFacts, directory: String) {
        #expect(BrokerConfiguration(host: host).dataDirectory == directory)
    }

    @Test(arguments: [
        (HostFacts.fixture(), String?("/home/ada/.config/sluice/connection.json")),
        (.fixture(["XDG_CONFIG_HOME": "/conf"]), "/conf/sluice/connection.json"),
        (.fixture(["SLUICE_CONNECTION_FILE": "/tmp/c.json"]), "/tmp/c.json"),
        (.fixture(["HOME": ""]), nil),
    ]) func `put the connection file where the commands look`(host: HostFacts, path: String?) {
        #expect(BrokerConfiguration(host: host).connectionFile == path)
    }

    @Test(arguments: [
        ("ada-lab.example.org", "ada-lab"), ("büro 7", "b-ro-7"), ("", "host"), (".x", "host"),
    ]) func `make a topic segment of any host name`(name: String, segment: String) {
        var host = HostFacts.fixture()
        host.hostName = name
        #expect(host.hostSegment == segment)
    }

    @Test func `every key's default is of its own form, and names are unique`() throws {
        let defaults = BrokerConfiguration(host: .fixture())
        for key in ConfigurationKey.all {
            var copy = defaults
            let value = key.show(defaults)
            if !value.isEmpty { try key.apply(value, &copy) }
            #expect(key.show(copy) == value, "\(key.name)")
        }
        #expect(Set(ConfigurationKey.all.map(\.flag)).count == ConfigurationKey.all.count)
    }
}

@Suite("An environment that is others', too") struct ConfigurationEnvironmentTests {
    @Test func `does not refuse the start, and what is not known is told by its name`() throws {
        let configuration = try loaded(environment: [
            "SLUICE_PORT": "tcp://10.0.0.1:8443", "SLUICE_PORT_8443_TCP_ADDR": "10.0.0.1",
            "SLUICE_SERVICE_HOST": "10.0.0.1", "SLUICE_LOOPS": "3", "SLUICE_EMPTY": "",
            "OTHER": "x",
        ])
        #expect(configuration.loops == 3)
        #expect(
            configuration.unknownVariables == [
                UnknownVariable(name: "SLUICE_PORT"),
                UnknownVariable(name: "SLUICE_PORT_8443_TCP_ADDR"),
                UnknownVariable(name: "SLUICE_SERVICE_HOST"),
            ])
    }

    @Test func `tells the nearest known variable of one that is misspelt`() throws {
        #expect(
            try loaded(environment: ["SLUICE_LISTENN": "x"]).unknownVariables == [
                UnknownVariable(name: "SLUICE_LISTENN", nearest: "SLUICE_LISTEN")
            ])
    }

    @Test func `may have variables of the other commands`() throws {
        let environment = ["SLUICE_URL": "https://x", "SLUICE_TOKEN": "slc_a_b"]
        #expect(try loaded(environment: environment).unknownVariables == [])
    }
}

@Suite("A configuration that cannot be used") struct ConfigurationRefusalTests {
    @Test func `an unknown key of the file is told with its line and the nearest known key`() {
        #expect(
            throws: ConfigurationError(
                "/c:3: there is no key 'data_dri'.", remedy: "Did you mean 'data_dir'?")
        ) {
            try loaded(file: "/c", files: ["/c": "# mine\n\ndata_dri = /x\n"])
        }
    }

    @Test(arguments: [
        "database_url: host=db password=hunter2", "database_url postgresql://u:hunter2@db",
        "postgresql://u:hunter2@db/x?sslmode=require", "hunter2", "hunter2=",
        "a = 1\nhunter2=\nhunter2=", "database_url = x\ndatabase_url = hunter2",
        "listen = https://127.0.0.1:1\npassword = hunter2",
    ]) func `an error about the file never quotes what may be a secret`(text: String) {
        let error = #expect(throws: ConfigurationError.self) {
            try loaded(file: "/c", files: ["/c": text])
        }
        #expect(error?.message.hasPrefix("/c:") == true)
        #expect(error?.description.contains("hunter2") == false)
    }

    @Test func `a connection string that the shell has cut is not quoted`() {
        let error = #expect(throws: ConfigurationError.self) {
            try loaded(flags: ["--database-url", "host=db", "password=hunter2"])
        }
        #expect(error?.description.contains("hunter2") == false)
    }

    @Test func `an unknown flag is told with the nearest known one`() {
        #expect(
            throws: ConfigurationError(
                "There is no flag '--lisen'.", remedy: "Did you mean '--listen'?")
        ) { try loaded(flags: ["--lisen", "x"]) }
    }

    @Test func `a flag without a value is told`() {
        #expect(
            throws: ConfigurationError(
                "--loops has no value.", remedy: "Write '--loops VALUE' or '--loops=VALUE'.")
        ) { try loaded(flags: ["--loops"]) }
    }

    @Test(arguments: [
        ("--loops", "0"), ("--loops", "x"), ("--auth", "basic"), ("--migrate", "yes"),
        ("--topics-retain-age", "0s"), ("--topics-retain-count", "0"),
        ("--topics-retain-bytes", "default"), ("--topics-key-window", "59s"),
        ("--topics-key-window", "unlimited"), ("--create-topics", "yes"),
        ("--limits-event-bytes", "1GiB"), ("--limits-event-bytes", "-1"),
        ("--limits-heartbeat-interval", "20"), ("--listen", "127.0.0.1:8443"), ("--listen", ""),
        ("--listen", "https://h:65536"), ("--data-dir", ""), ("--log-level", "loud"),
        ("--origins", "https://a.example/"), ("--origins", "https://a.example,b.example"),
    ]) func `a value outside its key's form is refused with form and default`(
        flag: String, value: String
    ) {
        let error = #expect(throws: ConfigurationError.self) { try loaded(flags: [flag, value]) }
        #expect(error?.message.hasPrefix("\(flag): '\(value)' is not a value of ") == true)
        #expect(error?.remedy.contains("Its default is") == true)
    }

    @Test(arguments: [
        "http://0.0.0.0:80", "https://[::]:1", "https://broker.example",
        "http://127.0.0.1.evil.org",
    ])
    func `auth none beyond loopback is refused`(address: String) {
        let error = #expect(throws: ConfigurationError.self) {
            try loaded(flags: ["--auth", "none", "--listen", address])
        }
        #expect(error?.message.contains("would let everybody") == true)
    }

    @Test(arguments: ["http://127.8.9.1:80", "https://[::1]:1", "https://localhost"])
    func `auth none on loopback is accepted`(address: String) throws {
        #expect(try loaded(flags: ["--auth", "none", "--listen", address]).auth == .none)
    }

    @Test func `a body that could never be taken is refused`() {
        let error = #expect(throws: ConfigurationError.self) {
            try loaded(flags: ["--limits-body-bytes", "2MiB", "--limits-bodies-bytes", "1MiB"])
        }
        #expect(error?.remedy == "Raise limits.bodies_bytes or lower limits.body_bytes.")
    }

    @Test func `a certificate without its key is refused`() {
        let error = #expect(throws: ConfigurationError.self) { try loaded(flags: ["--cert", "a"]) }
        #expect(error?.message == "cert names 1 files, and key 0.")
    }
}
