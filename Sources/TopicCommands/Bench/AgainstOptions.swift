internal import ArgumentParser
internal import BrokerRuntime
internal import SluiceClient

/// The second broker, with which the first one is compared.
struct AgainstOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A second broker, which gets the same load in turn.", valueName: "url"))
    var against: String?

    @Option(
        help: ArgumentHelp(
            "The file that its 'sluice serve' wrote: its address, token and authority.",
            valueName: "file"))
    var againstConnectionFile: String?

    @Option(help: ArgumentHelp("A file that holds its token.", valueName: "file"))
    var againstTokenFile: String?

    @Option(
        help: ArgumentHelp(
            "PEM file of the authority that signed its certificate.", valueName: "file"))
    var againstCaFile: String?

    @Flag(help: "Take any certificate of it; for tests only.")
    var againstInsecure = false

    @Option(
        help: ArgumentHelp("Its processes, as --server-pid has them.", valueName: "pid"),
        transform: ProcessList.init)
    var againstPid: ProcessList?

    /// Whether there is a second broker.
    var isGiven: Bool { against != nil || againstConnectionFile != nil }

    func validate() throws {
        try againstPid?.validate("--against-pid")
        let others =
            againstTokenFile != nil || againstCaFile != nil || againstInsecure || againstPid != nil
        if others, !isGiven {
            throw ValidationError("Say with --against which broker the others of its options mean.")
        }
    }

    /// How to reach it, by the same rules as the first one, but for the environment's address and
    /// token, which are the first one's; `nil`: there is none.
    ///
    /// Throws when its files can't be read, or its address is none.
    func configuration(host: HostFacts) throws -> ClientConfiguration? {
        guard isGiven else { return nil }
        var words: [String] = []
        for (option, value) in [
            ("--url", against), ("--token-file", againstTokenFile), ("--ca-file", againstCaFile),
        ] {
            if let value { words += [option, value] }
        }
        if againstInsecure { words.append("--insecure") }
        var host = host
        let file = againstConnectionFile ?? host.connectionFile
        host.environment = file.map { ["SLUICE_CONNECTION_FILE": $0] } ?? [:]
        if let path = againstConnectionFile, ConnectionFile.read(path: path) == nil {
            throw CommandFailure(
                .usage, "\(path) is no connection file.",
                remedy: "Name what the second 'sluice serve' was told with --connection-file.")
        }
        return try ConnectionOptions.parse(words)
            .configuration(host: host, file: ConnectionFile.read(path:))
    }
}
