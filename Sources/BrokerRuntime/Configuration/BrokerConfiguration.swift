package import EventModel
package import Logging
package import Transport

/// What the broker is told from outside: one value a key of `ConfigurationKey.all`.
package struct BrokerConfiguration: Sendable {
    package var listen: [ListenAddress]
    /// Holds the managed database, the local certificates and the lock; made with mode 0700.
    package var dataDirectory: String
    package var auth: AuthMode
    /// Whether a publish may create its topic; what the database says, once it was asked.
    package var createsTopics: Bool
    /// What is said of the settings that the database keeps.
    package var serverSettings = ServerSettingsChanges()
    /// This broker's name among several on one database.
    package var node: String
    /// Event loops; each is a thread.
    package var loops: Int
    /// Origins of web pages that may open a session, besides the broker's own.
    package var origins: [String]
    /// libpq connection string of an existing server; `nil`: the managed one.
    package var databaseURL: String?
    /// The same for LISTEN alone, past a pooler; `nil`: `databaseURL`.
    package var listenURL: String?
    /// Directory with `initdb` and `postgres`; `nil`: the newest that is installed.
    package var postgresBinaries: String?
    /// Whether migrations are applied at start.
    package var migrates: Bool
    /// PEM files of certificate chains, and of their keys in the same order; none: a local
    /// authority in the data directory.
    package var certificateFiles: [String] = []
    package var keyFiles: [String] = []
    /// Further names and addresses of the local certificate.
    package var tlsNames: [String]
    /// Whether TLS 1.3's records are the broker's own behind the handshake, or OpenSSL's.
    package var ownsTLSRecords: Bool
    /// Where to tell the command line how to reach this broker; `nil`: nowhere.
    package var connectionFile: String?
    package var logLevel: Logger.Level
    package var logFormat: LogFormat
    package var limits: Limits
    /// Those of sockets and of HTTP.
    package var transport: TransportLimits

    /// Which key got its value where; a key that is absent has its default.
    package var sources: [String: ConfigurationSource] = [:]
    /// Variables that begin like ours and that no command knows.
    package var unknownVariables: [UnknownVariable] = []

    /// Called once, as soon as publishing and subscribing work.
    package var started: (@Sendable (StartedBroker) -> Void)?

    /// The defaults on a host.
    package init(host: HostFacts) {
        listen = [ListenAddress(isTLS: true, host: "127.0.0.1", port: 8443)]
        dataDirectory = host.dataDirectory
        auth = .token
        createsTopics = true
        node = host.hostSegment
        loops = max(1, host.cores)
        origins = []
        migrates = true
        tlsNames = []
        ownsTLSRecords = true
        connectionFile = host.connectionFile
        logLevel = .info
        logFormat = .text
        limits = Limits()
        transport = TransportLimits()
    }

    /// Said, it is also written to the database.
    var eventBytesMax: Int {
        get { limits.eventBytesMax }
        set {
            limits.eventBytesMax = newValue
            serverSettings.eventBytesMax = newValue
        }
    }

    /// The settings that the database keeps come into force.
    package mutating func take(_ settings: ServerSettings) throws(ConfigurationError) {
        createsTopics = settings.createsTopics
        limits.eventBytesMax = settings.topics.eventBytesMax
        try validate()
    }

    /// Checks what depends on more than one key.
    package func validate() throws(ConfigurationError) {
        if auth == .none, let open = listen.first(where: { !$0.isLoopback }) {
            throw ConfigurationError(
                "auth = none would let everybody who reaches \(open) publish and subscribe.",
                remedy: "Listen on 127.0.0.1, [::1] or localhost, or use auth = token.")
        }
        guard certificateFiles.count == keyFiles.count else {
            throw ConfigurationError(
                "cert names \(certificateFiles.count) files, and key \(keyFiles.count).",
                remedy: "Give each certificate its key, in the same order, "
                    + "or neither for a local certificate.")
        }
        if limits.eventBytesMax > limits.bodyBytesMax {
            throw ConfigurationError(
                "limits.event_bytes (\(limits.eventBytesMax)) is above limits.body_bytes "
                    + "(\(limits.bodyBytesMax)), so such an event could not be sent.",
                remedy: "Raise limits.body_bytes or lower limits.event_bytes.")
        }
        if limits.bodyBytesMax > transport.bodiesBytesMax {
            throw ConfigurationError(
                "limits.body_bytes (\(limits.bodyBytesMax)) is above limits.bodies_bytes "
                    + "(\(transport.bodiesBytesMax)), so such a body could never be taken.",
                remedy: "Raise limits.bodies_bytes or lower limits.body_bytes.")
        }
    }
}

/// A variable `SLUICE_…` that nobody knows: a misspelt key, or not meant for this program.
package struct UnknownVariable: Equatable, Sendable {
    package var name: String
    /// The variable that was probably meant; the value stays untold.
    package var nearest: String?
}

/// Who may use the broker.
package enum AuthMode: String, CaseIterable, Sendable {
    /// Everybody; loopback only.
    case none
    /// Bearers of a token of the database.
    case token
}

/// How log lines look.
package enum LogFormat: String, CaseIterable, Sendable {
    case text
    case json
}

/// What a broker that has just started tells its caller.
package struct StartedBroker: Sendable {
    /// Where it listens, with the ports that the system chose.
    package var addresses: [ListenAddress]
    /// The authority that signed the local certificate; `nil` with a certificate of the user's.
    package var caFile: String?
    /// The token of this machine's command line, if there is one.
    package var token: String?
    /// Was the token made by this start? Only then may it be shown.
    package var isNewToken: Bool
    /// Why there is none, if there should be one.
    package var missingToken: MissingToken?
    /// The connection file that was written.
    package var connectionFile: String?

    package init(
        addresses: [ListenAddress], caFile: String?, token: String?, isNewToken: Bool,
        connectionFile: String?
    ) {
        self.addresses = addresses
        self.caFile = caFile
        self.token = token
        self.isNewToken = isNewToken
        self.connectionFile = connectionFile
    }
}

/// Where a value comes from; a later one of these wins over an earlier one.
package enum ConfigurationSource: Hashable, Sendable, CustomStringConvertible {
    case file(path: String, line: Int)
    case environment(String)
    case flag(String)

    package var description: String {
        switch self {
        case .file(let path, let line): "\(path):\(line)"
        case .environment(let name): name
        case .flag(let name): name
        }
    }
}
