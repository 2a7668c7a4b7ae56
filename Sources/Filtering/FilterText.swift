internal import EventModel

/// A filter's text and the next byte to read: white space, words, names, strings and numbers.
struct FilterText {
    let bytes: [UInt8]
    var position = 0

    /// A string of the filter, and where each of its scalars begins in the filter's text.
    struct Quoted {
        var scalars: [Unicode.Scalar] = []
        var places: [Int] = []
        /// Behind the closing quote.
        var end = 0

        var text: String {
            var text = ""
            text.unicodeScalars.append(contentsOf: scalars)
            return text
        }
    }

    init(_ text: String) { bytes = Array(text.utf8) }

    /// An `invalid_filter` about the byte at `place`, or at the current position.
    func wrong(_ what: String, at place: Int? = nil, remedy: String? = nil) -> BrokerError {
        let place = place ?? position
        return BrokerError(
            .invalidFilter, "At byte \(place) of the filter: \(what).", remedy: remedy,
            at: InputPlace(byte: place, field: "filter"))
    }

    /// What stands at the current position, for an error.
    var found: String {
        guard let byte = peek() else { return "the end" }
        let end = bytes[position...].firstIndex { $0 <= 0x20 } ?? bytes.count
        return Self.isNameByte(byte)
            ? quoted(String(decoding: bytes[position..<end], as: UTF8.self))
            : "'\(String(decoding: [byte], as: UTF8.self))'"
    }

    func peek(_ distance: Int = 0) -> UInt8? {
        position + distance < bytes.count ? bytes[position + distance] : nil
    }

    mutating func skipSpace() {
        while let byte = peek(), [0x20, 0x09, 0x0A, 0x0D].contains(byte) { position += 1 }
    }

    /// Skips white space, and then takes `text` if it stands there.
    mutating func take(_ text: StaticString) -> Bool {
        skipSpace()
        let wanted = text.description.utf8
        guard bytes[position...].starts(with: wanted) else { return false }
        position += wanted.count
        return true
    }

    /// Skips white space, and then takes a word, in whatever case, if it stands there.
    mutating func take(word: String) -> Bool {
        skipSpace()
        guard name(at: position).lowercased() == word else { return false }
        position += word.utf8.count
        return true
    }

    // MARK: Names

    static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...:
            true
        default: false
        }
    }

    /// The name that begins there; empty if none does.
    func name(at start: Int) -> String {
        guard start < bytes.count, !(0x30...0x39).contains(bytes[start]) else { return "" }
        return String(decoding: bytes[start...].prefix(while: Self.isNameByte), as: UTF8.self)
    }

    // MARK: Strings

    /// Reads a string in double quotes, with the escapes of JSON.
    mutating func string() throws(BrokerError) -> Quoted {
        skipSpace()
        guard peek() == UInt8(ascii: "\"") else {
            throw wrong(
                "expected a string, found \(found)", remedy: "Put it into double quotes.")
        }
        let start = position
        position += 1
        var quoted = Quoted()
        while let byte = peek(), byte != UInt8(ascii: "\"") {
            let place = position
            let scalar = byte == UInt8(ascii: "\\") ? try escape() : try plainScalar()
            guard scalar.value != 0 else {
                throw wrong("a string of a filter holds no NUL", at: place)
            }
            quoted.scalars.append(scalar)
            quoted.places.append(place)
        }
        guard peek() != nil else { throw wrong("the string does not end", at: start) }
        position += 1
        quoted.end = position
        return quoted
    }

    private mutating func plainScalar() throws(BrokerError) -> Unicode.Scalar {
        let first = bytes[position]
        guard first >= 0x20 else {
            throw wrong("control character in a string; escape it")
        }
        var reader = ScalarReader(
            StringText(range: position..<bytes.count, hasEscapes: false))
        let value = reader.next(in: bytes.span) ?? 0
        position += value < 0x80 ? 1 : value < 0x800 ? 2 : value < 0x10000 ? 3 : 4
        return Unicode.Scalar(value) ?? "\u{fffd}"
    }

    private mutating func escape() throws(BrokerError) -> Unicode.Scalar {
        let place = position
        position += 2
        switch bytes.indices.contains(place + 1) ? bytes[place + 1] : 0 {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): break
        default:
            throw wrong(
                "no such escape in a string", at: place,
                remedy: #"Write a backslash that is meant, also one of a pattern, as \\."#)
        }
        var value = try unit(place)
        if (0xD800..<0xDC00).contains(value), peek() == UInt8(ascii: "\\"),
            peek(1) == UInt8(ascii: "u")
        {
            position += 2
            let low = try unit(place)
            if (0xDC00..<0xE000).contains(low) {
                value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
            }
        }
        guard let scalar = Unicode.Scalar(value) else {
            throw wrong("half of a surrogate pair", at: place)
        }
        return scalar
    }

    private mutating func unit(_ place: Int) throws(BrokerError) -> UInt32 {
        let digits = bytes[min(position, bytes.count)...].prefix(4)
        position += 4
        let text = String(decoding: digits, as: UTF8.self)
        guard text.utf8.count == 4, text.first != "+", let unit = UInt32(text, radix: 16) else {
            throw wrong("expected four hexadecimal digits", at: place)
        }
        return unit
    }

    // MARK: Numbers

    /// Reads a JSON number.
    mutating func number() throws(BrokerError) -> [UInt8] {
        let start = position
        if peek() == UInt8(ascii: "-") { position += 1 }
        let whole = position
        try digits()
        if bytes[whole] == UInt8(ascii: "0"), position > whole + 1 {
            throw wrong("a number does not begin with 0", at: whole)
        }
        if peek() == UInt8(ascii: ".") {
            position += 1
            try digits()
        }
        if peek() == UInt8(ascii: "e") || peek() == UInt8(ascii: "E") {
            position += 1
            if peek() == UInt8(ascii: "+") || peek() == UInt8(ascii: "-") { position += 1 }
            try digits()
        }
        if let byte = peek(), Self.isNameByte(byte) {
            throw wrong("expected the end of the number, found \(found)")
        }
        return Array(bytes[start..<position])
    }

    private mutating func digits() throws(BrokerError) {
        let start = position
        while let byte = peek(), (0x30...0x39).contains(byte) { position += 1 }
        guard position > start else { throw wrong("expected a digit, found \(found)") }
    }

    /// Reads an index of an array.
    mutating func index() throws(BrokerError) -> Int {
        skipSpace()
        let start = position
        try digits()
        guard let index = Int32(String(decoding: bytes[start..<position], as: UTF8.self)) else {
            throw wrong("the index is too large", at: start)
        }
        return Int(index)
    }
}
