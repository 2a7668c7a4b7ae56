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
    /// - Throws: An unknown key or variable with the nearest known one, or a value that is not of its key's form.
    package mutating func load(
        flags: [String], file: String?
    ) throws(ConfigurationError) -> BrokerConfiguration {
        let settings = try parse(flags)
        try checkVariables()
        configuration = BrokerConfiguration(host: host)
        if let path = file ?? nonEmpty(host.environment["SLUICE_CONFIG"]) {
            for entry in try parseConfiguration(try readFile(path), path: path) {
                try set(
                    entry.name, to: entry.value, from: .file(path: path, line: entry.line),
                    known: Self.names)
            }
        }
        for key in ConfigurationKey.all {
            for name in key.isSecret ? [key.name, key.name + "_file"] : [key.name] {
                let variable = key.variable + (name == key.name ? "" : "_FILE")
                guard let value = nonEmpty(host.environment[variable]) else { continue }
                try set(name, to: value, from: .environment(variable), known: Self.names)
            }
        }
        for (name, value, flag) in settings {
            try set(name, to: value, from: .flag(flag), known: Self.names)
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
        _ name: String, to value: String, from source: ConfigurationSource, known: [String]
    ) throws(ConfigurationError) {
        if let key = ConfigurationKey.all.first(where: { $0.name == name }) {
            return try apply(key, value, source)
        }
        let secret = ConfigurationKey.all.first { $0.isSecret && $0.name + "_file" == name }
        if let key = secret {
            let text = try readFile(value)
            let line = text.split(omittingEmptySubsequences: false) { $0.isNewline }.first ?? ""
            return try apply(key, trimmed(line), source)
        }
        throw unknown("key", name, at: source, among: known)
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

    private func unknown(
        _ what: String, _ name: String, at source: ConfigurationSource, among known: [String]
    ) -> ConfigurationError {
        let nearest = nearestName(to: name, among: known)
        return ConfigurationError(
            "\(source): there is no \(what) \(quoted(name)).",
            remedy: nearest.map { "Did you mean '\($0)'?" }
                ?? "'sluice serve --help' lists every key.")
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
            throw ConfigurationError(
                "\(quoted(argument)) is not a flag.",
                remedy: "Write '--key value'; 'sluice serve --help' lists every key.")
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

    private func checkVariables() throws(ConfigurationError) {
        let known =
            ConfigurationKey.all.flatMap { key in
                key.isSecret ? [key.variable, key.variable + "_FILE"] : [key.variable]
            } + Self.clientVariables
        for name in host.environment.keys.sorted()
        where name.hasPrefix("SLUICE_") && !known.contains(name) {
            throw unknown("variable", name, at: .environment("environment"), among: known)
        }
    }

    private func nonEmpty(_ text: String?) -> String? {
        text.flatMap { $0.isEmpty ? nil : $0 }
    }
}
