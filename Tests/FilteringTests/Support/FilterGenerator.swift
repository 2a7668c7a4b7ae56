import RepeatableChance

/// Draws documents, and filters that PostgreSQL takes as jsonpath, too.
///
/// Both know few names and values, so that they often meet.
struct FilterGenerator {
    var chance: SeededGenerator
    private var selectorsLeft = 0
    /// jsonb has each name once, so `.*` sees less there than here.
    private(set) var hasAnyMember = false

    init(chance: SeededGenerator) { self.chance = chance }

    // MARK: Documents

    static let numbers = [
        "0", "-0", "0.0", "1", "1.0", "10e-1", "100", "1e2", "1E+2", "0.1", "0.10", "1e400",
        "-1e400", "1.5e400", "1e-400", "12345678901234567890", "12345678901234567891",
        "12345678901234567890.0", "-3", "2", "3", "99.99", "-0.001",
    ]
    static let strings = [
        "", "a", "ab", "abc", "ACME", "ä", "Ä", #"\u0061b"#, #"\ud83e\udd89"#, "🦉", #"line\nbreak"#,
        #"\""#, #"a\/b"#, #"\\"#, "2", "null", "orders.eu", "k1", #"\uffff"#,
    ]
    static let names = ["a", "b", "c d", "ä", "e"]

    /// A JSON text of at most `depth` levels.
    mutating func document(depth: Int, repeatsNames: Bool) -> String {
        switch chance.pick(0...(depth > 0 ? 9 : 4)) {
        case 0, 1: return chance.pick(Self.numbers)
        case 2, 3: return "\"\(chance.pick(Self.strings))\""
        case 4: return chance.pick(["true", "false", "null"])
        case 5, 6:
            let elements = (0..<chance.pick(0...4)).map { _ in
                document(depth: depth - 1, repeatsNames: repeatsNames)
            }
            return "[\(elements.joined(separator: chance.pick([",", " , "])))]"
        default:
            var names = (0..<chance.pick(0...4)).map { _ in chance.pick(Self.names) }
            if !repeatsNames { names = Array(Set(names)).sorted() }
            let members = names.map { name in
                let written = name == "a" && chance.chance(20) ? #"\u0061"# : name
                return "\"\(written)\": \(document(depth: depth - 1, repeatsNames: repeatsNames))"
            }
            return "{\(members.joined(separator: ","))}"
        }
    }

    // MARK: Filters

    mutating func filter() -> String {
        selectorsLeft = 16
        hasAnyMember = false
        return condition(depth: 2)
    }

    private mutating func condition(depth: Int) -> String {
        guard depth > 0 else { return test() }
        switch chance.pick(0...9) {
        case 0, 1: return "\(grouped(depth)) && \(grouped(depth))"
        case 2, 3: return "\(grouped(depth)) || \(grouped(depth))"
        case 4: return "!(\(condition(depth: depth - 1)))"
        case 5: return "(\(condition(depth: depth - 1))) is unknown"
        default: return test()
        }
    }

    private mutating func grouped(_ depth: Int) -> String {
        chance.chance(50)
            ? "(\(condition(depth: depth - 1)))"
            : chance.chance(50) ? condition(depth: depth - 1) : test()
    }

    private mutating func test() -> String {
        let path = path()
        switch chance.pick(0...11) {
        case 0, 1: return "exists(\(path))"
        case 2: return "\(path) starts with \"\(chance.pick(Self.strings))\""
        case 3:
            return "\(path) like_regex \"\(chance.pick(["^a", "b$", "^.$", "[a-c]{2}", "A|E"]))\""
        case 4, 5: return "\(path) \(comparison()) \(self.path())"
        case 6: return "\(literal()) \(comparison()) \(path)"
        default: return "\(path) \(comparison()) \(literal())"
        }
    }

    private mutating func comparison() -> String {
        chance.pick(["==", "==", "!=", "<>", "<", "<=", ">", ">="])
    }

    private mutating func literal() -> String {
        switch chance.pick(0...5) {
        case 0, 1, 2: chance.pick(Self.numbers)
        case 3, 4: "\"\(chance.pick(Self.strings))\""
        default: chance.pick(["true", "false", "null"])
        }
    }

    private mutating func path() -> String {
        let root = chance.chance(85) ? "$" : chance.pick(["$key", "$topic", "$attributes"])
        return (0..<chance.pick(0...3)).reduce(root) { path, _ in path + step() }
    }

    private mutating func step() -> String {
        if selectorsLeft > 0, chance.chance(40) {
            selectorsLeft -= 1
            let step = chance.pick([
                ".*", "[*]", "[*]", "[0]", "[1]", "[last]", "[last - 1]", "[0 to 1]", "[1 to last]",
                "[0, 2]", "[last - 1 to last]", "[2 to 0]", "[last - 5 to 0]", "[0 to last - 1]",
            ])
            if step == ".*" { hasAnyMember = true }
            return step
        }
        let name = chance.pick(Self.names)
        return name == "c d" || chance.chance(10) ? ".\"\(name)\"" : ".\(name)"
    }

    // MARK: Patterns

    /// A pattern as it stands in a JSON string.
    mutating func pattern(depth: Int) -> String {
        let parts = (0..<chance.pick(1...3)).map { _ in part(depth: depth) }
        return parts.joined(separator: chance.chance(20) ? "|" : "")
    }

    private mutating func part(depth: Int) -> String {
        if chance.chance(12) { return chance.pick(["^", "$"]) }
        var atom = chance.pick([
            "a", "b", "A", "ä", ".", #"\\d"#, #"\\w"#, #"\\s"#, #"\\D"#, #"\\W"#, #"\\S"#, "[ab]",
            "[^a]", "[a-cA]", #"[^\\d]"#, #"\\."#, #"\\n"#, "[^ä-ö]",
        ])
        if depth > 0, chance.chance(30) {
            atom = chance.pick(["(", "(?:"]) + pattern(depth: depth - 1) + ")"
        }
        guard chance.chance(40) else { return atom }
        return atom
            + chance.pick(["*", "+", "?", "{2}", "{1,}", "{0,2}", "{1,3}", "*?", "+?", "??", "{0}"])
    }

    mutating func flags() -> String { chance.pick(["", "", "", "i", "s", "m", "is", "sm", "im"]) }

    /// A JSON string's text for patterns to fit.
    mutating func subject() -> String {
        (0..<chance.pick(0...6)).map { _ in
            chance.pick(["a", "b", "c", "A", "B", "1", " ", #"\n"#, "ä", "Ä", ".", #"\u0061"#])
        }.joined()
    }
}
