internal import ArgumentParser
internal import BrokerRuntime
internal import SluiceClient

/// How to reach the broker: flags, else the environment, else the file that `sluice serve` wrote.
struct ConnectionOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where the broker is, like https://127.0.0.1:8443 (SLUICE_URL).", valueName: "url"))
    var url: String?

    @Option(help: ArgumentHelp("The token to show (SLUICE_TOKEN).", valueName: "token"))
    var token: String?

    @Option(
        help: ArgumentHelp(
            "A file that holds the token, so that it is not seen in the process list (SLUICE_TOKEN_FILE).",
            valueName: "file"))
    var tokenFile: String?

    @Option(
        help: ArgumentHelp(
            "PEM file of the authority that signed the broker's certificate (SLUICE_CA_FILE).",
            valueName: "file"))
    var caFile: String?

    @Flag(help: "Take any certificate; for tests only (SLUICE_INSECURE=true).")
    var insecure = false

    /// A client for the broker.
    ///
    /// - Parameters:
    ///   - host: The environment.
    ///   - timeout: How long connecting and waiting for an answer may take.
    /// - Returns: The client, not connected yet.
    /// - Throws: When nothing says where the broker is, or what does can't be used.
    func client(
        host: HostFacts = .current(), timeout: Duration = .seconds(30)
    ) throws -> BrokerClient {
        try BrokerClient(
            try configuration(host: host, file: ConnectionFile.read(path:), timeout: timeout))
    }

    /// What the three sources say together.
    ///
    /// Token and authority of the file belong to the file's broker: they are not sent to another
    /// one.
    func configuration(
        host: HostFacts, file: (String) -> ConnectionFile?, timeout: Duration = .seconds(30)
    ) throws -> ClientConfiguration {
        let environment = host.environment.filter { !$0.value.isEmpty }
        let known = host.connectionFile.flatMap(file)
        guard let text = url ?? environment["SLUICE_URL"] ?? known?.url else {
            throw CommandFailure(
                .unreachable, "It is not known where the broker is.",
                remedy:
                    "Start one with 'sluice serve', or say --url https://HOST:PORT or SLUICE_URL.")
        }
        let isFromFile = text == known?.url
        return ClientConfiguration(
            address: try BrokerAddress(text),
            token: try tokenText(environment) ?? (isFromFile ? known?.token : nil),
            caFile: caFile ?? environment["SLUICE_CA_FILE"] ?? (isFromFile ? known?.caFile : nil),
            isInsecure: insecure || environment["SLUICE_INSECURE"] == "true", timeout: timeout)
    }

    private func tokenText(_ environment: [String: String]) throws -> String? {
        if let token { return token }
        if let tokenFile { return try Self.firstLine(of: tokenFile) }
        if let token = environment["SLUICE_TOKEN"] { return token }
        return try environment["SLUICE_TOKEN_FILE"].map(Self.firstLine)
    }

    private static func firstLine(of path: String) throws -> String {
        let bytes = try InputFile(path: path).readAll(bytesMax: 64 << 10)
        let line = bytes.prefix { $0 != 0x0A && $0 != 0x0D }
        return String(decoding: line, as: UTF8.self)
    }
}
