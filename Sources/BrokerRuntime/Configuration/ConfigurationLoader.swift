internal import EventModel

/// Merges flags, environment, file and defaults, in that order of precedence.
package struct ConfigurationLoader {
    private let host: HostFacts
    private let readFile: (String) throws(ConfigurationError) -> String
    private var configuration: BrokerConfiguration

    /// - Parameters:
    ///   - host: What defaults and environment are.
    ///   - readFile: Gives a file's text, or says why not.
    package init(
        host: HostFacts, readFile: @escaping (String) throws(ConfigurationError) -> String
    ) {
        self.host = host
        self.readFile = readFile
        configuration = BrokerConfiguration(host: host)
    }

    /// Reads the configuration in force.
    ///
    /// - Parameters:
    ///   - flags: `--key value`, `--key=value`, in any order; repeated flags of a list add up.
    ///   - file: The path that `--config` names.
    /// - Returns: The configuration, valid and with the source of each value.
    /// - Throws: An unknown flag or key of the file, with the nearest known one, or a value that is
    ///   not of its key's form. An unknown variable is no error: the environment is others', too.
    package mutating func load(
        flags: [String], file: String?
    ) throws(ConfigurationError) -> BrokerConfiguration {
        let settings = try parse(flags)
        configuration = BrokerConfiguration(host: host)
        configuration.unknownVariables = unknownVariables()
        if let path = file ?? nonEmpty(host.environment["SLUICE_CONFIG"]) {
            for entry in try parseConfiguration(try readFile(path), path: path) {
                try set(
                    entry.name, to: entry.value, from: .file(path: path, line: entry.line))
            }
        }
        for key in ConfigurationKey.all {
            for name in key.isSecret ? [key.name, key.name + "_file"] : [key.name] {
                let variable = key.variable + (name == key.name ? "" : "_FILE")
                guard let value = nonEmpty(host.environment[variable]) else { continue }
                try set(name, to: value, from: .environment(variable))
            }
        }
        for (name, value, flag) in settings {
            try set(name, to: value, from: .flag(flag))
        }
        configuration.dataDirectory = host.absolute(configuration.dataDirectory)
        configuration.connectionFile = configuration.connectionFile.map(host.absolute)
        try configuration.validate()
        return configuration
    }

    /// The names that may stand in a file: keys, and `NAME_file` for secrets.
    static let names = ConfigurationKey.all.flatMap { key in
        key.isSecret ? [key.name, key.name + "_file"] : [key.name]
    }

    private mutating func set(
        _ name: String, to value: String, from source: ConfigurationSource
    ) throws(ConfigurationError) {
        if let key = ConfigurationKey.all.first(where: { $0.name == name }) {
            return try apply(key, value, source)
        }
        let secret = ConfigurationKey.all.first { $0.isSecret && $0.name + "_file" == name }
        if let key = secret {
            let text = try readFile(value)
            let line = text.split(omittingEmptySubsequences: false) { $0.isNewline }.first ?? ""
            return try apply(key, String(trimmed(line)), source)
        }
        // A line that is no setting at all may be a piece of a secret: it is quoted only when it is
        // nearly a key.
        guard let nearest = nearestName(to: name, among: Self.names) else {
            throw ConfigurationError(
                "\(source): what stands before '=' is no key.",
                remedy: "'sluice serve --help' lists every key.")
        }
        throw ConfigurationError(
            "\(source): there is no key \(quoted(name)).", remedy: "Did you mean '\(nearest)'?")
    }

    private mutating func apply(
        _ key: ConfigurationKey, _ value: String, _ source: ConfigurationSource
    ) throws(ConfigurationError) {
        do {
            try key.apply(value, &configuration)
        } catch {
            let shown = key.isSecret ? "the value" : quoted(value)
            throw ConfigurationError(
                "\(source): \(shown) is not a value of \(key.name): \(key.form).",
                remedy: "\(key.summary) Its default is '\(defaultText(of: key))'.")
        }
        configuration.sources[key.name] = source
    }

    private func defaultText(of key: ConfigurationKey) -> String {
        key.show(BrokerConfiguration(host: host))
    }

    // MARK: Flags

    /// Splits flags into (key, value, flag); the values of a repeated list are joined.
    private func parse(
        _ flags: [String]
    ) throws(ConfigurationError) -> [(name: String, value: String, flag: String)] {
        var settings: [(name: String, value: String, flag: String)] = []
        var index = 0
        while index < flags.count {
            let (name, flag, inline) = try key(of: flags[index])
            index += 1
            let value: String
            if let inline {
                value = inline
            } else if index < flags.count {
                value = flags[index]
                index += 1
            } else {
                throw ConfigurationError(
                    "\(flag) has no value.", remedy: "Write '\(flag) VALUE' or '\(flag)=VALUE'.")
            }
            let isList = ConfigurationKey.all.contains { $0.name == name && $0.isList }
            if isList, let earlier = settings.firstIndex(where: { $0.name == name }) {
                settings[earlier].value += "," + value
            } else {
                settings.append((name, value, flag))
            }
        }
        return settings
    }

    private func key(
        of argument: String
    ) throws(ConfigurationError) -> (name: String, flag: String, inline: String?) {
        guard argument.hasPrefix("--") else {
            // It may be a piece of a connection string that the shell has cut.
            throw ConfigurationError(
                "An argument that is neither a flag nor the value of one was given.",
                remedy: "Write '--key value', and quote a value with spaces; "
                    + "'sluice serve --help' lists every key.")
        }
        let equals = argument.firstIndex(of: "=")
        let flag = String(argument[..<(equals ?? argument.endIndex)])
        let inline = equals.map { String(argument[argument.index(after: $0)...]) }
        for key in ConfigurationKey.all {
            if key.flag == flag { return (key.name, flag, inline) }
            if key.isSecret, key.flag + "-file" == flag {
                return (key.name + "_file", flag, inline)
            }
        }
        let known = ConfigurationKey.all.map(\.flag) + ["--config", "--print-config", "--help"]
        let nearest = nearestName(to: flag, among: known)
        throw ConfigurationError(
            "There is no flag \(quoted(flag)).",
            remedy: nearest.map { "Did you mean '\($0)'?" }
                ?? "'sluice serve --help' lists every flag.")
    }

    // MARK: Environment

    /// Variables of the other commands, which may stand in the same environment.
    private static let clientVariables = [
        "SLUICE_CONFIG", "SLUICE_URL", "SLUICE_TOKEN", "SLUICE_TOKEN_FILE", "SLUICE_CA_FILE",
        "SLUICE_INSECURE",
    ]

    /// Variables of the form of ours that no command knows, such as Kubernetes sets for a service
    /// named sluice.
    private func unknownVariables() -> [UnknownVariable] {
        let known =
            ConfigurationKey.all.flatMap { key in
                key.isSecret ? [key.variable, key.variable + "_FILE"] : [key.variable]
            } + Self.clientVariables
        let prefix = "SLUICE_"
        let words = known.map { String($0.dropFirst(prefix.count)) }
        let unknown = host.environment.filter { name, value in
            name.hasPrefix(prefix) && !value.isEmpty && !known.contains(name)
        }
        return unknown.keys.sorted().map { name in
            let word = String(name.dropFirst(prefix.count))
            let nearest = nearestName(to: word, among: words, distanceMax: word.count / 3)
            return UnknownVariable(name: name, nearest: nearest.map { prefix + $0 })
        }
    }

    private func nonEmpty(_ text: String?) -> String? {
        text.flatMap { $0.isEmpty ? nil : $0 }
    }
}
