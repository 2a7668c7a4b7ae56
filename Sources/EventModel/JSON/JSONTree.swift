/// A JSON value whose members keep their order; for what is made once, such as the descriptions of
/// the interface.
package indirect enum JSONTree: Sendable {
    case null
    case boolean(Bool)
    case integer(Int64)
    case string(String)
    case array([JSONTree])
    case object([(name: String, value: JSONTree)])
    /// A JSON text as it stands.
    case text([UInt8])

    /// An object of those members that are there.
    package static func members(_ members: [(String, JSONTree?)]) -> JSONTree {
        .object(members.compactMap { name, value in value.map { (name, $0) } })
    }

    package static func strings(_ texts: some Sequence<String>) -> JSONTree {
        .array(texts.map { .string($0) })
    }

    /// The object with one more member behind the others; another value stays as it is.
    package func with(_ name: String, _ value: JSONTree?) -> JSONTree {
        guard let value, case .object(let members) = self else { return self }
        return .object(members + [(name, value)])
    }

    package func write(to json: inout JSONWriter) {
        switch self {
        case .null: json.raw("null")
        case .boolean(let value): json.raw(value ? "true" : "false")
        case .integer(let value): json.integer(value)
        case .string(let text): json.string(text)
        case .array(let values):
            json.raw("[")
            for (index, value) in values.enumerated() {
                if index > 0 { json.raw(",") }
                value.write(to: &json)
            }
            json.raw("]")
        case .object(let members):
            json.raw("{")
            for (index, member) in members.enumerated() {
                if index > 0 { json.raw(",") }
                json.string(member.name)
                json.raw(":")
                member.value.write(to: &json)
            }
            json.raw("}")
        case .text(let bytes): json.raw(bytes)
        }
    }

    package var bytes: [UInt8] {
        var json = JSONWriter(capacity: 1024)
        write(to: &json)
        return json.bytes
    }
}

extension JSONTree: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByIntegerLiteral, ExpressibleByStringLiteral, ExpressibleByArrayLiteral,
    ExpressibleByDictionaryLiteral, ExpressibleByStringInterpolation
{
    package init(nilLiteral: ()) { self = .null }
    package init(booleanLiteral value: Bool) { self = .boolean(value) }
    package init(integerLiteral value: Int64) { self = .integer(value) }
    package init(stringLiteral value: String) { self = .string(value) }
    package init(arrayLiteral values: JSONTree...) { self = .array(values) }
    package init(dictionaryLiteral members: (String, JSONTree)...) {
        self = .object(members.map { ($0, $1) })
    }
}
