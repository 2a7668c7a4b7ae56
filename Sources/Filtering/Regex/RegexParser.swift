internal import EventModel

/// The flags of `like_regex`.
struct RegexFlags: Sendable {
    /// ASCII letters fit in either case.
    var ignoresCase = false
    /// `.` and `[^…]` fit a newline, too.
    var dotFitsNewline = false
    /// `^` and `$` fit at each line.
    var isMultiline = false
    /// The pattern is a plain text.
    var isLiteral = false

    /// - Returns: `false` if there is no such flag.
    mutating func insert(_ flag: Unicode.Scalar) -> Bool {
        switch flag {
        case "i": ignoresCase = true
        case "s": dotFitsNewline = true
        case "m": isMultiline = true
        case "q": isLiteral = true
        default: return false
        }
        return true
    }

    var text: String {
        (ignoresCase ? "i" : "") + (dotFitsNewline ? "s" : "") + (isMultiline ? "m" : "")
            + (isLiteral ? "q" : "")
    }
}

/// What a pattern means.
indirect enum Regex {
    case empty
    case scalar(CharacterSet)
    case start
    case end
    case sequence([Regex])
    case choice([Regex])
    /// `max` `nil`: without end.
    case repetition(Regex, min: Int, max: Int?)
}

/// Reads a pattern: PostgreSQL's advanced regular expressions without what takes more than linear
/// time or another locale than C (doc:Filters).
struct RegexParser {
    private let pattern: FilterText.Quoted
    private let text: FilterText
    private let flags: RegexFlags
    private var position = 0
    private var depth = 0

    private static let depthMax = 32
    /// As PostgreSQL's.
    private static let repetitionMax = 255

    /// Reads `pattern` of the filter `text`, which errors name the places of.
    init(_ pattern: FilterText.Quoted, in text: FilterText, flags: RegexFlags) {
        self.pattern = pattern
        self.text = text
        self.flags = flags
    }

    /// Reads the whole pattern.
    mutating func regex() throws(BrokerError) -> Regex {
        guard !flags.isLiteral else {
            return .sequence(pattern.scalars.map { .scalar(set([$0.value...$0.value])) })
        }
        let regex = try choice()
        guard peek() == nil else { throw wrong("')' without '('", remedy: #"Write \\) for it."#) }
        return regex
    }

    private func peek(_ distance: Int = 0) -> Unicode.Scalar? {
        position + distance < pattern.scalars.count ? pattern.scalars[position + distance] : nil
    }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard peek() == scalar else { return false }
        position += 1
        return true
    }

    private func wrong(_ what: String, at place: Int? = nil, remedy: String? = nil) -> BrokerError {
        let place = place ?? position
        return text.wrong(
            what, at: place < pattern.places.count ? pattern.places[place] : pattern.end - 1,
            remedy: remedy)
    }

    private func set(_ ranges: [ClosedRange<UInt32>]) -> CharacterSet {
        let set = CharacterSet(ranges)
        return flags.ignoresCase ? set.ignoringCase : set
    }

    // MARK: Structure

    private mutating func choice() throws(BrokerError) -> Regex {
        var branches = [try sequence()]
        while take("|") { branches.append(try sequence()) }
        return branches.count == 1 ? branches[0] : .choice(branches)
    }

    private mutating func sequence() throws(BrokerError) -> Regex {
        var parts: [Regex] = []
        while let next = peek(), next != "|", next != ")" {
            let place = position
            let atom = try atom()
            parts.append(try repeated(atom, from: place))
        }
        return parts.count == 1 ? parts[0] : .sequence(parts)
    }

    private mutating func repeated(_ atom: Regex, from place: Int) throws(BrokerError) -> Regex {
        guard let (min, max) = try quantifier() else { return atom }
        switch atom {
        case .start, .end: throw wrong("a place can't be repeated", at: place)
        case .empty, .scalar, .sequence, .choice, .repetition: break
        }
        // Whether as much or as little as possible fits makes no difference to whether it fits.
        _ = take("?")
        if let next = peek(), ["*", "+", "?"].contains(next) {
            throw wrong("a repetition of a repetition", remedy: "Use parentheses.")
        }
        if peek() == "{" { throw wrong("a repetition of a repetition", remedy: "Use parentheses.") }
        return .repetition(atom, min: min, max: max)
    }

    private mutating func quantifier() throws(BrokerError) -> (min: Int, max: Int?)? {
        if take("*") { return (0, nil) }
        if take("+") { return (1, nil) }
        if take("?") { return (0, 1) }
        let start = position
        guard take("{") else { return nil }
        let min = try count(start)
        var max: Int? = min
        if take(",") { max = peek() == "}" ? nil : try count(start) }
        guard take("}"), min <= max ?? min else {
            throw wrong("not a repetition like {2}, {2,} or {2,5}", at: start)
        }
        return (min, max)
    }

    private mutating func count(_ start: Int) throws(BrokerError) -> Int {
        var digits = ""
        while let next = peek(), ("0"..."9").contains(next), digits.count < 4 {
            digits.unicodeScalars.append(next)
            position += 1
        }
        guard let count = Int(digits) else {
            throw wrong(
                "not a repetition like {2}, {2,} or {2,5}", at: start,
                remedy: #"Write \\{ for the character."#)
        }
        guard count <= Self.repetitionMax else {
            throw wrong("more than \(Self.repetitionMax) repetitions", at: start)
        }
        return count
    }

    // MARK: Atoms

    private mutating func atom() throws(BrokerError) -> Regex {
        let place = position
        guard let next = peek() else { return .empty }
        position += 1
        switch next {
        case "(": return try group(place)
        case "[": return .scalar(try bracket(place))
        case ".": return .scalar(flags.dotFitsNewline ? .all : CharacterSet.newline.complement)
        case "^": return .start
        case "$": return .end
        case "\\": return .scalar(try escape(place))
        case "*", "+", "?":
            throw wrong("nothing to repeat", at: place, remedy: #"Write \\* for the character."#)
        case "{":
            throw wrong("nothing to repeat", at: place, remedy: #"Write \\{ for the character."#)
        default: return .scalar(set([next.value...next.value]))
        }
    }

    private mutating func group(_ place: Int) throws(BrokerError) -> Regex {
        if take("?") {
            guard take(":") else {
                throw wrong(
                    "patterns don't look ahead or behind and set no options", at: place,
                    remedy: "Only (…) and (?:…) are there; options are flags: flag \"i\".")
            }
        }
        guard depth < Self.depthMax else {
            throw wrong("more than \(Self.depthMax) parentheses within one another", at: place)
        }
        depth += 1
        let inner = try choice()
        guard take(")") else { throw wrong("'(' without ')'", at: place) }
        depth -= 1
        // A group is an atom also if what is in it is not.
        return .sequence([inner])
    }

    /// The set of an escape, behind its backslash.
    private mutating func escape(_ place: Int) throws(BrokerError) -> CharacterSet {
        guard let next = peek() else {
            throw wrong("a backslash at the end", at: place, remedy: #"Write \\\\ for it."#)
        }
        position += 1
        switch next {
        case "d": return .digits
        case "D": return CharacterSet.digits.complement
        case "w": return .wordCharacters
        case "W": return CharacterSet.wordCharacters.complement
        case "s": return .space
        case "S": return CharacterSet.space.complement
        default: break
        }
        position -= 1
        let scalar = try escapedScalar(place)
        return set([scalar...scalar])
    }

    private mutating func escapedScalar(_ place: Int) throws(BrokerError) -> UInt32 {
        let next = peek() ?? "\0"
        position += 1
        switch next {
        case "n": return 0x0A
        case "t": return 0x09
        case "r": return 0x0D
        case "f": return 0x0C
        case "v": return 0x0B
        case "a"..."z", "A"..."Z", "0"..."9":
            throw wrong(
                #"patterns have no \#\#(next)"#, at: place,
                remedy: #"There are \\d \\D \\w \\W \\s \\S \\n \\t \\r \\f \\v, and a backslash "#
                    + "before a character that is no letter or digit.")
        default: return next.value
        }
    }

    // MARK: Brackets

    private mutating func bracket(_ place: Int) throws(BrokerError) -> CharacterSet {
        let isNegated = take("^")
        var set = CharacterSet([])
        var isFirst = true
        while isFirst || peek() != "]" {
            guard peek() != nil else { throw wrong("'[' without ']'", at: place) }
            set = set.union(try bracketPart(isFirst: isFirst))
            isFirst = false
        }
        position += 1
        if flags.ignoresCase { set = set.ignoringCase }
        guard isNegated else { return set }
        return flags.dotFitsNewline ? set.complement : set.union(.newline).complement
    }

    private mutating func bracketPart(isFirst: Bool) throws(BrokerError) -> CharacterSet {
        let place = position
        if peek() == "\\", let kind = peek(1) {
            let shorthands: [Unicode.Scalar: CharacterSet] = [
                "d": .digits, "w": .wordCharacters, "s": .space,
            ]
            if let set = shorthands[kind] {
                position += 2
                return set
            }
        }
        if peek() == "-", !isFirst, peek(1) != "]" {
            throw wrong("'-' between ranges", at: place, remedy: "Write it first or last.")
        }
        let first = try bracketScalar(place)
        guard peek() == "-", peek(1) != "]", peek(1) != nil else {
            return CharacterSet([first...first])
        }
        position += 1
        let last = try bracketScalar(position)
        guard first <= last else { throw wrong("the range ends before it begins", at: place) }
        return CharacterSet([first...last])
    }

    private mutating func bracketScalar(_ place: Int) throws(BrokerError) -> UInt32 {
        guard let next = peek() else { throw wrong("'[' without ']'", at: place) }
        position += 1
        if next == "\\" { return try escapedScalar(place) }
        if next == "[", let kind = peek(), [":", ".", "="].contains(kind) {
            throw wrong(
                "patterns have no '[\(kind)' in brackets", at: place,
                remedy: #"Use \\d, \\w, \\s or ranges; write \\[ for the character."#)
        }
        return next.value
    }
}
