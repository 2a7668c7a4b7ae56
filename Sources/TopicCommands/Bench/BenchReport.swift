internal import Bench
internal import EventModel

/// `1.07`.
func twoDigits(_ value: Double) -> String {
    let hundredths = Int((value * 100).rounded())
    return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)"
}

/// What subscribers saw, in a line.
func words(_ tally: DeliveryCheck.Tally) -> String {
    "\(tally.events) events delivered, \(tally.told) told in gaps, \(tally.lost) lost, "
        + "\(tally.repeated) repeated, \(tally.closed) connections lost"
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
            ("repeated", tally.repeated), ("closed", tally.closed),
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

    /// A member behind others, if there is a value.
    mutating func optional(_ name: StaticString, _ value: Int64?) {
        guard let value else { return }
        raw(",\"")
        raw(name)
        raw("\":")
        integer(value)
    }
}
