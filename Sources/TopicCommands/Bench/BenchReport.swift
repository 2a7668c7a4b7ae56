internal import Bench
internal import EventModel

/// What a scenario found, for people and for scripts: medians over its rounds, and beside them
/// those of the second broker.
enum BenchReport {
    /// A table that fits the terminal, and what was delivered; with `hint` also how the broker
    /// itself is measured.
    static func lines<Outcome: BenchOutcome>(
        _ rounds: BenchRounds<Outcome>, hint: Bool, width: Int? = Output.standard.columns
    ) -> [String] {
        let isCompared = !rounds.other.isEmpty
        // What may be cut stands last.
        var table = Table(
            isCompared
                ? [("THIS", .right), ("AGAINST", .right), ("RATIO", .right), ("WHAT", .left)]
                : [("VALUE", .right), ("WHAT", .left)])
        for row in rounds.rows {
            let value = text(row.figure.value, row.figure.unit)
            guard isCompared else {
                table.add([value, row.figure.title])
                continue
            }
            table.add([
                value, row.other.map { text($0, row.figure.unit) } ?? "-",
                row.ratio.map(twoDigits) ?? "-", row.figure.title,
            ])
        }
        var lines = table.lines(width: width) + [""]
        if isCompared {
            lines.append("this: \(words(tally(rounds.own)))")
            lines.append("against: \(words(tally(rounds.other)))")
        } else {
            lines.append(words(tally(rounds.own)))
        }
        if let load = rounds.rows.first(where: { $0.figure.key == "load_cores" }),
            load.figure.value > 0.9
        {
            lines.append("The load had no core left: it, too, limits how many there were a second.")
        }
        if hint { lines.append("The broker's CPU and memory are measured with --server-pid.") }
        return lines
    }

    /// One object: figures by name with their unit, of each round and the medians.
    static func json<Outcome: BenchOutcome>(
        _ scenario: String, _ rounds: BenchRounds<Outcome>
    ) -> [UInt8] {
        let rows = rounds.rows
        var writer = JSONWriter()
        writer.raw(#"{"scenario":"#)
        writer.string(scenario)
        writer.raw(rounds.isSound ? #","sound":true,"# : #","sound":false,"#)
        broker(rounds.own, medians: rows.map { ($0.figure.key, $0.figure.value) }, to: &writer)
        if !rounds.other.isEmpty {
            writer.raw(#","against":{"#)
            broker(
                rounds.other,
                medians: rows.compactMap { row in row.other.map { (row.figure.key, $0) } },
                to: &writer)
            writer.raw(#"},"ratios":"#)
            writer.decimals(rows.compactMap { row in row.ratio.map { (row.figure.key, $0) } })
        }
        writer.raw("}")
        return writer.bytes
    }

    /// The members about one broker.
    private static func broker(
        _ outcomes: [some BenchOutcome], medians: [(String, Double)], to writer: inout JSONWriter
    ) {
        writer.raw(#""figures":"#)
        writer.decimals(medians)
        writer.raw(",")
        writer.tally("delivered", tally(outcomes))
        writer.raw(#","runs":["#)
        for (index, outcome) in outcomes.enumerated() {
            if index > 0 { writer.raw(",") }
            writer.decimals(outcome.figures.map { ($0.key, $0.value) })
        }
        writer.raw("]")
    }

    private static func tally(_ outcomes: [some BenchOutcome]) -> DeliveryCheck.Tally {
        outcomes.reduce(into: DeliveryCheck.Tally()) { $0 += $1.delivered }
    }

    /// A value as a person reads it.
    static func text(_ value: Double, _ unit: Figure.Unit) -> String {
        switch unit {
        case .count, .perSecond:
            let number = value >= 100 ? grouped(Int64(value.rounded())) : twoDigits(value)
            return unit == .perSecond ? "\(number)/s" : number
        case .microseconds: return "\(twoDigits(value)) us"
        case .nanoseconds: return shortTime(nanoseconds: Int64(value))
        case .bytes: return roundedSize(Int64(value))
        case .ratio: return twoDigits(value)
        }
    }
}

/// `1.07`.
func twoDigits(_ value: Double) -> String {
    let hundredths = Int((abs(value) * 100).rounded())
    let sign = value < 0 && hundredths > 0 ? "-" : ""
    return "\(sign)\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)"
}

/// 1,234,567 ns is `1.23 ms`.
func shortTime(nanoseconds: Int64) -> String {
    let value = Double(nanoseconds)
    for (unit, size) in [("s", 1e9), ("ms", 1e6), ("us", 1e3)] where value >= size {
        let digits = value / size
        return (digits >= 100 ? "\(Int(digits))" : "\((digits * 100).rounded() / 100)") + " \(unit)"
    }
    return "\(nanoseconds) ns"
}

/// What subscribers saw, in a line.
func words(_ tally: DeliveryCheck.Tally) -> String {
    "\(tally.events) events delivered, \(tally.told) told in gaps, \(tally.lost) lost, "
        + "\(tally.repeated) repeated, "
        + (tally.unwanted > 0 ? "\(tally.unwanted) unwanted, " : "")
        + "\(tally.closed) connections lost"
}

extension JSONWriter {
    mutating func latency(_ latency: LatencySummary) {
        counts([
            ("events", Int64(latency.events)), ("p50_ns", latency.p50), ("p99_ns", latency.p99),
            ("max_ns", latency.max),
        ])
    }

    mutating func tally(_ name: StaticString, _ tally: DeliveryCheck.Tally) {
        raw("\"")
        raw(name)
        raw("\":")
        counts([
            ("events", tally.events), ("told", tally.told), ("lost", tally.lost),
            ("repeated", tally.repeated), ("unwanted", tally.unwanted), ("closed", tally.closed),
        ])
    }

    /// An object of numbers.
    private mutating func counts(_ members: [(name: StaticString, value: Int64)]) {
        for (index, member) in members.enumerated() {
            raw(index == 0 ? "{\"" : ",\"")
            raw(member.name)
            raw("\":")
            integer(member.value)
        }
        raw("}")
    }

    /// An object of numbers with at most three digits behind the point.
    mutating func decimals(_ members: [(name: String, value: Double)]) {
        raw("{")
        for (index, member) in members.enumerated() {
            if index > 0 { raw(",") }
            string(member.name)
            raw(":")
            decimal(member.value)
        }
        raw("}")
    }

    private mutating func decimal(_ value: Double) {
        let thousandths = Int64((abs(value) * 1000).rounded())
        if value < 0, thousandths > 0 { raw("-") }
        integer(thousandths / 1000)
        guard thousandths % 1000 > 0 else { return }
        raw(".")
        var digits = Array(String(thousandths % 1000 + 1000).utf8.dropFirst())
        while digits.last == UInt8(ascii: "0") { digits.removeLast() }
        raw(digits)
    }

    /// A member behind others, if there is a value.
    mutating func optional(_ name: StaticString, _ value: Int64?) {
        guard let value else { return }
        raw(",\"")
        raw(name)
        raw("\":")
        integer(value)
    }
}
