/// One result of a scenario, as the table and the JSON say it.
package struct Figure: Equatable, Sendable {
    /// What a value counts.
    package enum Unit: Equatable, Sendable {
        case count
        case perSecond
        /// CPU time for each of something.
        case microseconds
        /// Time.
        case nanoseconds
        case bytes
        case ratio
    }

    /// The JSON's member, with the unit at its end.
    package let key: String
    /// The table's first column.
    package let title: String
    package let unit: Unit
    package let value: Double

    init(_ key: String, _ title: String, _ unit: Unit, _ value: Double) {
        self.key = key
        self.title = title
        self.unit = unit
        self.value = value
    }
}

extension [Figure] {
    /// Adds a figure, if there is one.
    mutating func add(_ key: String, _ title: String, _ unit: Figure.Unit, _ value: Double?) {
        guard let value, value.isFinite else { return }
        append(Figure(key, title, unit, value))
    }

    /// Adds percentiles; `name` says of what.
    mutating func add(_ latency: LatencySummary, key: String, _ name: String) {
        for (quantile, title, value) in [
            ("p50", "p50", latency.p50), ("p90", "p90", latency.p90), ("p99", "p99", latency.p99),
            ("p999", "p99.9", latency.p999), ("max", "longest", latency.max),
        ] {
            add("\(key)_\(quantile)_ns", "\(name), \(title)", .nanoseconds, Double(value))
        }
    }

    /// Adds what everybody used for each of so many things; `thing` is their name in the keys and
    /// in the table.
    mutating func add(_ span: UsageMark.Span, per count: Int64, _ thing: String) {
        let each = Double(count)
        add(
            "broker_us_per_\(thing)", "broker's CPU for each \(thing)", .microseconds,
            span.broker.map { Double($0) / each })
        add(
            "apart_us_per_\(thing)", "other processes of it for each \(thing)", .microseconds,
            span.apart.map { Double($0) / each })
        add(
            "load_us_per_\(thing)", "load's CPU for each \(thing)", .microseconds,
            Double(span.load) / each)
    }

    /// Adds the broker's memory at the end, in bytes.
    mutating func addMemory(_ bytes: Int64?) {
        add("memory_bytes", "broker's memory", .bytes, bytes.map { Double($0) })
    }

    /// Adds what everybody used over the whole span.
    mutating func add(_ span: UsageMark.Span) {
        let cores = 1e6 * span.seconds
        add("broker_cores", "broker's cores", .ratio, span.broker.map { Double($0) / cores })
        add(
            "apart_cores", "cores of other processes of it", .ratio,
            span.apart.map { Double($0) / cores })
        add("load_cores", "load's cores", .ratio, Double(span.load) / cores)
        add("foreign_cores", "cores that others used", .ratio, span.foreignCores)
    }
}
