internal import EventModel

/// What the specification says of a context attribute's value ("Context Attributes", "Type System").
enum AttributeRules {
    /// Checks an attribute's value; an error calls it `field`.
    ///
    /// - Throws: `invalid_request`.
    static func check(
        _ name: String, _ value: ContextAttributes.Value, field: String
    ) throws(BrokerError) {
        let text = value.text
        guard isString(text) else {
            throw wrong(field, "holds a control character or a noncharacter")
        }
        if let type = coreType(of: name) {
            guard value.type == .string else { throw wrong(field, "must be a string") }
            guard !text.isEmpty else { throw wrong(field, "is empty") }
            guard type.isFulfilled(by: text) else {
                throw wrong(field, "is \(quoted(text)), not \(type.rawValue)")
            }
        }
        // They become the event's own id and key.
        if name == "id" || name == "partitionkey" { try EventValidation.check(text, field: field) }
    }

    private static func wrong(_ field: String, _ what: String) -> BrokerError {
        BrokerError(
            .invalidRequest, "\(quoted(field)) \(what).", at: InputPlace(field: field))
    }

    /// The types of the attributes that the specification defines, and of its extension
    /// `partitionkey`; `nil` for others, which are of any type.
    private static func coreType(of name: String) -> CoreType? {
        switch name {
        case "specversion": .version
        case "id", "type", "subject", "partitionkey": .text
        case "source": .reference
        case "dataschema": .uri
        case "time": .time
        case "datacontenttype": .mediaType
        default: nil
        }
    }

    private enum CoreType: String {
        case version = "1.0"
        case text = "a text"
        case reference = "a URI reference (RFC 3986 4.1)"
        case uri = "an absolute URI (RFC 3986 4.3)"
        case time = "a time (RFC 3339)"
        case mediaType = "a media type (RFC 2046)"

        func isFulfilled(by text: String) -> Bool {
            switch self {
            case .version: text == rawValue
            case .text: true
            case .reference: isReference(text)
            case .uri: isReference(text) && scheme(of: text) != nil && !text.contains("#")
            case .time: Timestamp(rfc3339: text) != nil
            case .mediaType: ContentType(text) != nil
            }
        }
    }

    /// "String": no control characters and no noncharacters; surrogates are in pairs anyway.
    static func isString(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { scalar in
            switch scalar.value {
            case 0...0x1F, 0x7F...0x9F, 0xFDD0...0xFDEF: false
            default: scalar.value & 0xFFFE != 0xFFFE
            }
        }
    }

    // MARK: RFC 3986

    /// 4.1: made of the characters of a URI, and what stands before a first colon is a scheme.
    private static func isReference(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        var fragments = 0
        var index = 0
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "%"):
                guard index + 2 < bytes.count, bytes[index + 1...index + 2].allSatisfy(isHexDigit)
                else { return false }
                index += 2
            case UInt8(ascii: "#"): fragments += 1
            case let byte where isAlphanumeric(byte): break
            case let byte where "-._~:/?[]@!$&'()*+,;=".utf8.contains(byte): break
            default: return false
            }
            index += 1
        }
        let first = text.prefix { !"/?#".contains($0) }
        return fragments <= 1 && (!first.contains(":") || scheme(of: text) != nil)
    }

    /// 3.1.
    private static func scheme(of text: String) -> Substring? {
        let scheme = text.prefix { $0 != ":" }
        guard scheme.count < text.count, let first = scheme.utf8.first, isLetter(first),
            scheme.utf8.allSatisfy({ isAlphanumeric($0) || "+-.".utf8.contains($0) })
        else { return nil }
        return scheme
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20)
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool { isLetter(byte) || isDigit(byte) }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
