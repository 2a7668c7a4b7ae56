internal import EventModel

/// A request target in origin form (RFC 9112 3.2.1), in its two parts.
struct RequestTarget {
    let path: Substring
    /// What follows the first `?`, not decoded.
    let query: Substring?

    init(_ uri: String) {
        guard let mark = uri.utf8.firstIndex(of: UInt8(ascii: "?")) else {
            path = uri[...]
            query = nil
            return
        }
        path = uri[..<mark]
        query = uri[uri.utf8.index(after: mark)...]
    }
}

/// The members of a query, decoded.
struct Query {
    private var values: [String: String] = [:]

    /// Reads the members, of which the route knows the names in `known`.
    ///
    /// - Throws: `unknown_field` for others, `invalid_request` for repeats and broken escapes.
    init(_ text: Substring?, known: Set<String>) throws(BrokerError) {
        guard let text else { return }
        for member in text.split(separator: "&") {
            guard let (name, value) = decodedMember(member) else {
                // Its name alone: its value may be a secret.
                throw BrokerError(
                    .invalidRequest,
                    "In the query, \(quoted(member.prefix { $0 != "=" })) is not percent-encoded "
                        + "UTF-8.")
            }
            guard known.contains(name) else {
                throw BrokerError(
                    .unknownField, "The query has an unknown member \(quoted(name)).",
                    remedy: known.isEmpty
                        ? "Send no query."
                        : "Known are: \(known.sorted().joined(separator: ", ")).",
                    at: InputPlace(field: name))
            }
            guard values.updateValue(value, forKey: name) == nil else {
                throw BrokerError(
                    .invalidRequest, "The query names \(quoted(name)) twice.",
                    at: InputPlace(field: name))
            }
        }
    }

    subscript(name: String) -> String? { values[name] }

    /// A count between 1 and `most`.
    ///
    /// - Throws: `invalid_request`.
    func count(_ name: String, default usual: Int, most: Int) throws(BrokerError) -> Int {
        guard let text = values[name] else { return usual }
        guard let value = Cursor.offset(text), (1...Offset(most)).contains(value) else {
            throw BrokerError(
                .invalidRequest,
                "\(quoted(name)) is \(quoted(text)), not a number from 1 to \(most).",
                at: InputPlace(field: name))
        }
        return Int(value)
    }
}

/// Resolves `%XX` (RFC 3986 2.1); `nil` for a broken escape or bytes that are not UTF-8.
///
/// `+` stays `+`.
func percentDecoded(_ text: Substring) -> String? {
    guard text.utf8.contains(UInt8(ascii: "%")) else { return String(text) }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.utf8.count)
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
        guard byte == UInt8(ascii: "%") else {
            bytes.append(byte)
            continue
        }
        guard let high = rest.popFirst().flatMap(hexadecimalValue),
            let low = rest.popFirst().flatMap(hexadecimalValue)
        else { return nil }
        bytes.append(high << 4 | low)
    }
    return String(validating: bytes, as: UTF8.self)
}

private func hexadecimalValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}
