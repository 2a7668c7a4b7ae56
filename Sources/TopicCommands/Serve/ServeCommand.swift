internal import ArgumentParser
internal import BrokerRuntime
internal import Logging

/// The command `sluice serve`.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the broker until it is told to stop (SIGINT, SIGTERM).",
        usage: "sluice serve [--config <file>] [--print-config] [--<key> <value> ...]",
        discussion: """
            Examples:
              sluice serve
              sluice serve --listen https://127.0.0.1:8443 --listen 'https://[::1]:8443'
              sluice serve --data-dir ./data --auth none
              sluice serve --database-url 'host=db.example dbname=sluice user=sluice'
              sluice serve --config /etc/sluice.conf --print-config

            Every key below can be said as a flag, as an environment variable (--data-dir is \
            SLUICE_DATA_DIR) and in the file that --config or SLUICE_CONFIG names (data_dir = …, one \
            a line, '#' begins a comment). A flag beats the environment, which beats the file. \
            Unknown flags and keys of the file are refused, unknown variables only warned of.

            \(ConfigurationKey.reference(host: .current()))
            """)

    @Option(
        help: ArgumentHelp("A file with 'key = value' lines (SLUICE_CONFIG).", valueName: "file"))
    var config: String?

    @Flag(help: "Print what is in force and where it was said, without secrets, and end.")
    var printConfig = false

    @Argument(parsing: .allUnrecognized, help: .hidden)
    var settings: [String] = []

    func run() async throws {
        var loader = ConfigurationLoader(
            host: .current(), readFile: configurationText(path:))
        var configuration = try loader.load(flags: settings, file: config)
        if printConfig { return Output.standard.write(Array(configuration.report.utf8)) }
        let addresses = configuration.listen.map { "\($0)" }.joined(separator: ", ")
        let authentication = configuration.auth
        configuration.started = { started in
            let steps = FirstSteps(
                started: started, auth: authentication, program: FirstSteps.currentProgram(),
                isTerminal: Output.standard.isTerminal)
            Output.standard.write(Array(steps.text.utf8))
        }
        let format = configuration.logFormat
        LoggingSystem.bootstrap { label in
            switch format {
            case .text: StreamLogHandler.standardError(label: label)
            case .json: JSONLogHandler(label: label)
            }
        }
        var logger = Logger(label: "sluice")
        logger.logLevel = configuration.logLevel
        logger.info("starting", metadata: ["listen": "\(addresses)"])
        for variable in configuration.unknownVariables {
            logger.warning(
                "a variable of the environment is not known, and ignored",
                metadata: [
                    "variable": "\(variable.name)", "nearest": "\(variable.nearest ?? "none")",
                ])
        }
        allowOpenFiles(logger)
        try await Broker(configuration: configuration, logger: logger).runUntilSignal()
    }

    /// Under this many, a broker is soon full of connections.
    private static let openFilesMin = 65_536

    /// Shells and systemd start with 1,024 open files, and leave it to the program to take more.
    private func allowOpenFiles(_ logger: Logger) {
        guard let allowed = OpenFiles.allowAll(), allowed < Self.openFilesMin else { return }
        logger.warning(
            "few files may be open, and every connection is one",
            metadata: [
                "allowed": "\(allowed)",
                "remedy":
                    "Start it with a higher hard limit: 'ulimit -Hn', LimitNOFILE in systemd.",
            ])
    }
}
