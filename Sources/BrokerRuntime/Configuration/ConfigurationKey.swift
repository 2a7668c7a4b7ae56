internal import EventModel
internal import Logging
internal import NIOCore
internal import Transport

/// One key of the configuration, the same in flags, environment and file.
package struct ConfigurationKey: Sendable {
    /// As in the file: `limits.event_bytes`.
    package let name: String
    /// What a value looks like, with unit and range.
    package let form: String
    /// What it is for, in one sentence.
    package let summary: String
    /// Never printed; can also be given as `NAME_file`.
    package let isSecret: Bool
    /// Takes a comma-separated list; repeated flags add up.
    package let isList: Bool
    /// Sets the value.
    let apply: @Sendable (String, inout BrokerConfiguration) throws(InvalidValue) -> Void
    /// The value in force, as it would be written.
    let show: @Sendable (BrokerConfiguration) -> String

    /// The flag, like `--limits-event-bytes`.
    package var flag: String {
        "--" + String(name.map { $0 == "_" || $0 == "." ? "-" : $0 })
    }

    /// The environment variable, like `SLUICE_LIMITS_EVENT_BYTES`.
    package var variable: String {
        "SLUICE_" + String(name.map { $0 == "." ? "_" : $0 }).uppercased()
    }
}

/// A text that is not of a key's form; the caller knows which key and where.
struct InvalidValue: Error {}

// One function a kind of value.
extension ConfigurationKey {
    typealias Path<Value> = any WritableKeyPath<BrokerConfiguration, Value> & Sendable

    static func text(
        _ name: String, _ path: Path<String>, _ form: String, _ summary: String
    ) -> ConfigurationKey {
        ConfigurationKey(
            name: name, form: form, summary: summary, isSecret: false, isList: false,
            apply: { text, configuration throws(InvalidValue) in
                guard !text.isEmpty else { throw InvalidValue() }
                configuration[keyPath: path] = text
            },
            show: { $0[keyPath: path] })
    }

    static func optional(
        _ name: String, _ path: Path<String?>, _ form: String,
        isSecret: Bool = false, _ summary: String
    ) -> ConfigurationKey {
        ConfigurationKey(
            name: name, form: form, summary: summary, isSecret: isSecret,
            isList: false,
            apply: { text, configuration in
                configuration[keyPath: path] = text.isEmpty ? nil : text
            },
            show: { $0[keyPath: path] ?? "" })
    }

    static func list(
        _ name: String, _ path: Path<[String]>, _ form: String, _ summary: String,
        isItem: @escaping @Sendable (String) -> Bool = { _ in true }
    ) -> ConfigurationKey {
        ConfigurationKey(
            name: name, form: form, summary: summary, isSecret: false, isList: true,
            apply: { text, configuration throws(InvalidValue) in
                let items = listItems(text)
                guard items.allSatisfy(isItem) else { throw InvalidValue() }
                configuration[keyPath: path] = items
            },
            show: { $0[keyPath: path].joined(separator: ",") })
    }

    static func addresses(
        _ name: String, _ path: Path<[ListenAddress]>, _ summary: String
    ) -> ConfigurationKey {
        ConfigurationKey(
            name: name, form: "list of https://HOST:PORT or http://HOST:PORT", summary: summary,
            isSecret: false, isList: true,
            apply: { text, configuration throws(InvalidValue) in
                var addresses: [ListenAddress] = []
                for item in listItems(text) {
                    do { addresses.append(try ListenAddress(parsing: item)) } catch {
                        throw InvalidValue()
                    }
                }
                guard !addresses.isEmpty else { throw InvalidValue() }
                configuration[keyPath: path] = addresses
            },
            show: { $0[keyPath: path].map(\.description).joined(separator: ",") })
    }

    static func choice<Value: RawRepresentable & CaseIterable & Sendable>(
        _ name: String, _ path: Path<Value>, _ summary: String
    ) -> ConfigurationKey where Value.RawValue == String {
        ConfigurationKey(
            name: name, form: Value.allCases.map(\.rawValue).joined(separator: "|"),
            summary: summary, isSecret: false, isList: false,
            apply: { text, configuration throws(InvalidValue) in
                guard let value = Value(rawValue: text) else { throw InvalidValue() }
                configuration[keyPath: path] = value
            },
            show: { $0[keyPath: path].rawValue })
    }

    static func flag(
        _ name: String, _ path: Path<Bool>, _ summary: String
    ) -> ConfigurationKey {
        ConfigurationKey(
            name: name, form: "true|false", summary: summary, isSecret: false,
            isList: false,
            apply: { text, configuration throws(InvalidValue) in
                guard let value = Bool(text) else { throw InvalidValue() }
                configuration[keyPath: path] = value
            },
            show: { String($0[keyPath: path]) })
    }

    static func integer(
        _ name: String, _ path: Path<Int>, _ range: ClosedRange<Int>,
        _ summary: String
    ) -> ConfigurationKey {
        ConfigurationKey(
            name: name, form: "\(range.lowerBound) to \(range.upperBound)", summary: summary,
            isSecret: false, isList: false,
            apply: { text, configuration throws(InvalidValue) in
                guard let value = Int(text), range.contains(value) else { throw InvalidValue() }
                configuration[keyPath: path] = value
            },
            show: { String($0[keyPath: path]) })
    }

    static func size(
        _ name: String, _ path: Path<Int>, _ range: ClosedRange<Int>,
        _ summary: String
    ) -> ConfigurationKey {
        let ends = "\(sizeText(range.lowerBound)) to \(sizeText(range.upperBound))"
        return ConfigurationKey(
            name: name, form: "size from \(ends)", summary: summary,
            isSecret: false, isList: false,
            apply: { text, configuration throws(InvalidValue) in
                guard let value = parseSize(text), range.contains(value) else {
                    throw InvalidValue()
                }
                configuration[keyPath: path] = value
            },
            show: { sizeText($0[keyPath: path]) })
    }

    static func duration(
        _ name: String, _ path: Path<Duration>, _ range: ClosedRange<Duration>,
        _ summary: String
    ) -> ConfigurationKey {
        duration(
            name, range, summary, get: { $0[keyPath: path] }, set: { $0[keyPath: path] = $1 })
    }

    /// One of the transport's, which counts as NIO does.
    static func duration(
        _ name: String, _ path: Path<TimeAmount>, _ range: ClosedRange<Duration>,
        _ summary: String
    ) -> ConfigurationKey {
        duration(
            name, range, summary, get: { Duration($0[keyPath: path]) },
            set: { $0[keyPath: path] = TimeAmount($1) })
    }

    private static func duration(
        _ name: String, _ range: ClosedRange<Duration>, _ summary: String,
        get: @escaping @Sendable (BrokerConfiguration) -> Duration,
        set: @escaping @Sendable (inout BrokerConfiguration, Duration) -> Void
    ) -> ConfigurationKey {
        let ends = "\(durationText(range.lowerBound)) to \(durationText(range.upperBound))"
        return ConfigurationKey(
            name: name, form: "duration from \(ends)", summary: summary,
            isSecret: false, isList: false,
            apply: { text, configuration throws(InvalidValue) in
                guard let value = parseDuration(text), range.contains(value) else {
                    throw InvalidValue()
                }
                set(&configuration, value)
            },
            show: { durationText(get($0)) })
    }
}

// What the database keeps is shown only when it is said here.
extension ConfigurationKey {
    /// A setting that the database keeps for all brokers and SQL publishers.
    static func shared<Value>(
        _ name: String, _ path: Path<Value?>, _ form: String, _ summary: String,
        read: @escaping @Sendable (String) -> Value?, show: @escaping @Sendable (Value) -> String
    ) -> ConfigurationKey {
        ConfigurationKey(
            name: name, form: form, summary: summary, isSecret: false, isList: false,
            apply: { text, configuration throws(InvalidValue) in
                guard let value = read(text) else { throw InvalidValue() }
                configuration[keyPath: path] = value
            },
            show: { $0[keyPath: path].map(show) ?? "" })
    }

    /// The same, where there may be no bound.
    static func sharedBound<Value>(
        _ name: String, _ path: Path<Retention<Value>?>, _ form: String, _ summary: String,
        read: @escaping @Sendable (String) -> Value?, show: @escaping @Sendable (Value) -> String
    ) -> ConfigurationKey {
        shared(
            name, path, "\(form) or unlimited", summary,
            read: { text in text == "unlimited" ? .unlimited : read(text).map { .limited($0) } },
            show: { bound in
                if case .limited(let value) = bound { show(value) } else { "unlimited" }
            })
    }
}

/// The items of a comma-separated list, without the white space around them.
private func listItems(_ text: String) -> [String] {
    text.split(separator: ",").map { String(trimmed($0)) }.filter { !$0.isEmpty }
}
