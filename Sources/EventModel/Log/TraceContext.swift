/// By which way an event came into being: `traceparent` and `tracestate` (W3C Trace Context,
/// level 1), which it carries as attributes.
///
/// They are no part of what is published: they count in no limit of attributes, and not in an
/// idempotency digest, as another try has a trace of its own (doc:CommonRules).
package struct TraceContext: Hashable, Sendable {
    package var traceparent: String
    package var tracestate: String?

    private static let names = ["traceparent", "tracestate"]
    /// Bytes of either.
    private static let textBytesMax = 512
    /// The members of a `tracestate` (3.3.1.1).
    private static let stateMembersMax = 32

    /// The values of a request's headers.
    ///
    /// `nil` without exactly one `traceparent` that is valid; a `tracestate` that is not, or is
    /// over 512 bytes, is left out alone (4.3).
    package init?(traceparents: [String], tracestates: [String]) {
        guard traceparents.count == 1, Self.isTraceparent(traceparents[0]) else { return nil }
        traceparent = traceparents[0]
        let state = tracestates.joined(separator: ",")
        if Self.isTracestate(state) { tracestate = state }
    }

    /// Whether an attribute is one of these, and so is outside the limits.
    package static func isFree(_ name: String, _ value: String) -> Bool {
        switch name {
        case names[0]: isTraceparent(value)
        case names[1]: isTracestate(value)
        default: false
        }
    }

    /// `version "-" trace-id "-" parent-id "-" trace-flags` (3.2.2); of a later version that, and
    /// what it may have behind it.
    private static func isTraceparent(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard (55...textBytesMax).contains(bytes.count) else { return false }
        let parts = bytes[..<55].split(
            separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        guard parts.map(\.count) == [2, 32, 16, 2],
            parts.allSatisfy({ $0.allSatisfy(isLowercaseHex) }), parts[0] != Array("ff".utf8)[...],
            parts[1...2].allSatisfy({ $0.contains { $0 != UInt8(ascii: "0") } })
        else { return false }
        guard bytes.count > 55 else { return true }
        return parts[0] != Array("00".utf8)[...] && bytes[55] == UInt8(ascii: "-")
            && bytes.allSatisfy { (0x21...0x7E).contains($0) }
    }

    private static func isLowercaseHex(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }

    /// A list of `key=value` (3.3.1).
    private static func isTracestate(_ text: String) -> Bool {
        guard (1...textBytesMax).contains(text.utf8.count),
            text.utf8.allSatisfy({ (0x20...0x7E).contains($0) || $0 == 0x09 })
        else { return false }
        let members = text.split(separator: ",").filter { $0.contains { $0 != " " && $0 != "\t" } }
        return (1...stateMembersMax).contains(members.count)
            && members.allSatisfy { member in
                let pair = member.split(
                    separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                return pair.count == 2 && !pair[0].isEmpty && !pair[1].isEmpty
            }
    }

    // MARK: In attributes

    /// Adds it to an event that does not say its own.
    package func add(to event: inout NewEvent) {
        var bytes = event.attributes ?? Array("{}".utf8)
        guard let members = Self.members(of: bytes), !members.contains(where: \.isTrace),
            let end = bytes.lastIndex(of: UInt8(ascii: "}"))
        else { return }
        var json = JSONWriter()
        for (name, text) in zip(Self.names, [traceparent, tracestate]) {
            guard let text else { continue }
            if !members.isEmpty || !json.bytes.isEmpty { json.raw(",") }
            json.string(name)
            json.raw(":")
            json.string(text)
        }
        bytes.insert(contentsOf: json.bytes, at: end)
        event.attributes = bytes
    }

    /// Attributes without it; `nil` if nothing is left.
    ///
    /// The text of the others stays as it is. `sluice.untraced` does the same.
    static func removed(from attributes: [UInt8]) -> [UInt8]? {
        guard let members = members(of: attributes) else { return attributes }
        guard members.contains(where: { !$0.isTrace }) else { return nil }
        guard members.contains(where: \.isTrace) else { return attributes }
        var rest: [UInt8] = []
        var start = 0
        for (index, member) in members.enumerated() where member.isTrace && index > 0 {
            let before = members[index - 1].range.upperBound
            let comma = attributes[before...].firstIndex(of: UInt8(ascii: ",")) ?? before
            rest += attributes[start..<comma]
            start = member.range.upperBound
        }
        rest += attributes[start...]
        guard let first = members.first, first.isTrace else { return rest }
        let separators: [UInt8] = [0x20, 0x09, 0x0A, 0x0D, UInt8(ascii: ",")]
        return [rest[0]] + rest[first.range.upperBound...].drop { separators.contains($0) }
    }

    /// From its name's quote to the end of its value; names are compared as they are written.
    private typealias Member = (range: Range<Int>, isTrace: Bool)

    private static func members(of attributes: [UInt8]) -> [Member]? {
        var members: [Member] = []
        var scanner = JSONScanner(attributes)
        do throws(BrokerError) {
            try scanner.object { (scanner, key) throws(BrokerError) in
                let name = attributes[key].dropFirst().dropLast()
                let isTrace = names.contains { name.elementsEqual($0.utf8) }
                let value = try scanner.value()
                members.append((key.lowerBound..<value.upperBound, isTrace))
            }
        } catch {
            return nil
        }
        return members
    }
}
