/// The most of one unit that a duration may have; in days, sums of them are far from `Duration`'s
/// end.
let unitsMax: Int64 = 1_000_000_000

/// Parses a duration of the configuration, the command line and the wire: `250ms`, `30s`, `15m`,
/// `12h`, `7d`.
///
/// At most 1,000,000,000 of the unit. Whoever has less room than `Duration`, as a database or a
/// timer has, bounds it further, mostly by `Limits.durationMax`.
package func parseDuration(_ text: some StringProtocol) -> Duration? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let value = Int64(digits), value <= unitsMax else { return nil }
    switch text.dropFirst(digits.count) {
    case "ms": return .milliseconds(value)
    case "s": return .seconds(value)
    case "m": return .seconds(value * 60)
    case "h": return .seconds(value * 3600)
    case "d": return .seconds(value * 86_400)
    default: return nil
    }
}

/// A duration in the largest unit that needs no fraction, as `parseDuration` reads it.
package func durationText(_ duration: Duration) -> String {
    let parts = duration.components
    let milliseconds = parts.attoseconds / 1_000_000_000_000_000
    if milliseconds != 0 { return "\(parts.seconds * 1000 + milliseconds)ms" }
    for (unit, seconds) in [("d", Int64(86_400)), ("h", 3600), ("m", 60)]
    where parts.seconds != 0 && parts.seconds % seconds == 0 {
        return "\(parts.seconds / seconds)\(unit)"
    }
    return "\(parts.seconds)s"
}

/// Parses a size of the configuration and the command line: bytes, or `KiB`, `MiB`, `GiB`; at most
/// 1 PiB.
package func parseSize(_ text: some StringProtocol) -> Int? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    let shifts = ["": 0, "B": 0, "KiB": 10, "MiB": 20, "GiB": 30]
    guard let value = Int(digits), let shift = shifts[String(text.dropFirst(digits.count))],
        value <= (1 << 50) >> shift
    else { return nil }
    return value << shift
}

/// A size in the largest unit that needs no fraction, as `parseSize` reads it.
package func sizeText(_ bytes: Int) -> String {
    for (shift, unit) in [(30, "GiB"), (20, "MiB"), (10, "KiB")]
    where bytes > 0 && bytes % (1 << shift) == 0 {
        return "\(bytes >> shift)\(unit)"
    }
    return String(bytes)
}

/// The text without spaces and tabs at both ends.
package func trimmed<Text: StringProtocol>(_ text: Text) -> Text.SubSequence {
    let isSpace = { (character: Character) in character == " " || character == "\t" }
    let start = text.drop(while: isSpace)
    guard let last = start.lastIndex(where: { !isSpace($0) }) else { return start }
    return start[...last]
}
