extension BrokerConfiguration {
    /// What is in force and where it was said, as a configuration file that can be read back;
    /// without secrets.
    package var report: String {
        var lines: [String] = []
        for key in ConfigurationKey.all {
            let source = sources[key.name]?.description ?? "default"
            let value = key.show(self)
            if value.isEmpty {
                lines.append("# \(key.name) is not set")
            } else if key.isSecret {
                lines.append("# \(key.name) is set, and not shown  # \(source)")
            } else {
                lines.append("\(key.name) = \(value)  # \(source)")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}

extension ConfigurationKey {
    /// Every key with its flag, form, default and meaning, for `--help`.
    package static func reference(host: HostFacts) -> String {
        let defaults = BrokerConfiguration(host: host)
        return all.map { key in
            let value = key.show(defaults)
            let secret = key.isSecret ? " (also \(key.flag)-file FILE)" : ""
            return """
                \(key.flag) VALUE\(secret)
                    \(key.summary)
                    Form: \(key.form)\(value.isEmpty ? "" : "\n    Default: \(value)")
                """
        }.joined(separator: "\n")
    }
}
