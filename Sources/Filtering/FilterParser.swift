internal import EventModel

/// Reads a filter (doc:Filters): the predicates of a jsonpath that need no item of their own.
struct FilterParser {
    private var text: FilterText
    private(set) var tests: [FilterTest] = []
    private var depth = 0
    private var automatonBudget = Automaton.Budget()
    private var selectors: Set<FilterPath> = []
    private var paths: Set<FilterPath> = []

    /// Parentheses within one another.
    static let depthMax = 32
    /// Comparisons and other tests, and different paths: a bit of a word each.
    static let testsMax = 64
    /// Steps of a path.
    static let stepsMax = 32
    /// Different steps `.*` and `[…]`: each may mean one more look at an element.
    static let selectorsMax = 16

    init(_ text: String) { self.text = FilterText(text) }

    /// Reads the whole text.
    mutating func condition() throws(BrokerError) -> FilterCondition {
        let condition = try disjunction()
        text.skipSpace()
        guard text.peek() == nil else {
            throw unexpected("'&&', '||' or the end")
        }
        return condition
    }

    // MARK: Conditions

    private mutating func disjunction() throws(BrokerError) -> FilterCondition {
        var condition = try conjunction()
        while text.take("||") { condition = .or(condition, try conjunction()) }
        return condition
    }

    private mutating func conjunction() throws(BrokerError) -> FilterCondition {
        var condition = try single()
        while text.take("&&") { condition = .and(condition, try single()) }
        return condition
    }

    private mutating func single() throws(BrokerError) -> FilterCondition {
        if text.take("!") {
            if let group = try group() { return .not(group) }
            if let test = try existence() { return .not(test) }
            throw text.wrong(
                "expected '(' behind '!', found \(text.found)", remedy: "Write !(…).")
        }
        if let group = try group() {
            guard text.take(word: "is") else { return group }
            guard text.take(word: "unknown") else { throw unexpected("'unknown'") }
            return .isUnknown(group)
        }
        if let test = try existence() { return test }
        return try comparison()
    }

    /// A condition in parentheses; `nil` if there are none.
    private mutating func group() throws(BrokerError) -> FilterCondition? {
        guard text.take("(") else { return nil }
        guard depth < Self.depthMax else {
            throw text.wrong(
                "more than \(Self.depthMax) parentheses within one another", at: text.position - 1)
        }
        depth += 1
        let condition = try disjunction()
        guard text.take(")") else { throw unexpected("')'") }
        depth -= 1
        return condition
    }

    private mutating func existence() throws(BrokerError) -> FilterCondition? {
        guard text.take(word: "exists") else { return nil }
        guard text.take("(") else { throw unexpected("'('") }
        guard let path = try path() else { throw unexpected("a path that begins with '$'") }
        guard text.take(")") else { throw unexpected("')'") }
        return try test(.exists(path))
    }

    private mutating func comparison() throws(BrokerError) -> FilterCondition {
        text.skipSpace()
        let start = text.position
        guard let path = try path() else {
            let value = try literal()
            guard let comparison = try comparisonOperator() else {
                throw unexpected("a comparison")
            }
            guard let path = try self.path() else {
                throw text.wrong(
                    "two values are compared, no path", at: start,
                    remedy: "Compare a path that begins with '$'.")
            }
            return try test(.comparison(path, comparison.mirrored, value))
        }
        if let comparison = try comparisonOperator() {
            guard let other = try self.path() else {
                return try test(.comparison(path, comparison, try literal()))
            }
            return try test(.pathComparison(path, comparison, other))
        }
        if text.take(word: "starts") {
            guard text.take(word: "with") else { throw unexpected("'with'") }
            return try test(.beginning(path, try text.string().text))
        }
        if text.take(word: "like_regex") { return try likeness(path) }
        throw unexpected(
            "a comparison of the path",
            remedy: "A filter is a condition, like $.active == true. "
                + "Parentheses go around conditions, not around paths.")
    }

    private mutating func test(_ test: FilterTest) throws(BrokerError) -> FilterCondition {
        guard tests.count < Self.testsMax else {
            throw text.wrong(
                "more than \(Self.testsMax) comparisons",
                remedy: #"Compare with a list of values as like_regex "^(A|B|C)$"."#)
        }
        tests.append(test)
        return .test(tests.count - 1)
    }

    private mutating func comparisonOperator() throws(BrokerError) -> ComparisonOperator? {
        if text.take("==") { return .equal }
        if text.take("!=") || text.take("<>") { return .notEqual }
        if text.take("<=") { return .lessOrEqual }
        if text.take(">=") { return .greaterOrEqual }
        if text.take("<") { return .less }
        if text.take(">") { return .greater }
        if text.peek() == UInt8(ascii: "=") {
            throw text.wrong("there is no '='", remedy: "Write '=='.")
        }
        return nil
    }

    private mutating func likeness(_ path: FilterPath) throws(BrokerError) -> FilterCondition {
        let pattern = try text.string()
        var flags = RegexFlags()
        if text.take(word: "flag") {
            let quoted = try text.string()
            for (flag, place) in zip(quoted.scalars, quoted.places) where !flags.insert(flag) {
                throw text.wrong(
                    "there is no flag \(EventModel.quoted(String(flag)))", at: place,
                    remedy: "The flags are i, s, m and q.")
            }
        }
        var parser = RegexParser(pattern, in: text, flags: flags)
        let automaton = try Automaton(
            try parser.regex(), flags: flags, budget: &automatonBudget, of: pattern, in: text)
        return try test(
            .likeness(path, pattern: pattern.text, flags: flags.text, automaton))
    }

    private mutating func literal() throws(BrokerError) -> FilterValue {
        text.skipSpace()
        switch text.peek() {
        case UInt8(ascii: "\""): return .string(Array(try text.string().text.utf8))
        case .some(UInt8(ascii: "0")...UInt8(ascii: "9")), UInt8(ascii: "-"):
            return .number(try text.number())
        default: break
        }
        let place = text.position
        let word = text.name(at: place)
        text.position += word.utf8.count
        switch word {
        case "null": return .null
        case "true": return .boolean(true)
        case "false": return .boolean(false)
        default:
            text.position = place
            throw unexpected("a path that begins with '$', or a value")
        }
    }

    // MARK: Paths

    /// A path; `nil` if none begins here.
    private mutating func path() throws(BrokerError) -> FilterPath? {
        text.skipSpace()
        let start = text.position
        guard text.peek() == UInt8(ascii: "$") else { return nil }
        let name = text.name(at: start + 1)
        guard let root = FilterRoot(rawValue: "$" + name), text.peek(1) != UInt8(ascii: "\"") else {
            throw text.wrong(
                "there is no variable '$\(name)'",
                remedy: "$ is the event's data; beside it there are $key, $topic and $attributes.")
        }
        text.position = start + 1 + name.utf8.count
        var path = FilterPath(root: root, steps: [])
        while let step = try step() {
            guard path.steps.count < Self.stepsMax else {
                throw text.wrong("a path of more than \(Self.stepsMax) steps", at: start)
            }
            path.steps.append(step)
            if case .member = step { continue }
            selectors.insert(path)
        }
        paths.insert(path)
        guard selectors.count <= Self.selectorsMax else {
            throw text.wrong("more than \(Self.selectorsMax) different '.*' and '[…]'", at: start)
        }
        guard paths.count <= Self.testsMax else {
            throw text.wrong("more than \(Self.testsMax) different paths", at: start)
        }
        return path
    }

    private mutating func step() throws(BrokerError) -> PathStep? {
        if text.take(".") { return try member() }
        if text.take("[") { return .elements(try subscripts()) }
        return nil
    }

    private mutating func member() throws(BrokerError) -> PathStep {
        text.skipSpace()
        if text.peek() == UInt8(ascii: "*") {
            guard text.peek(1) != UInt8(ascii: "*") else {
                throw text.wrong(
                    "filters have no '**'", remedy: "Name the steps, or use '.*' for one of them.")
            }
            text.position += 1
            return .anyMember
        }
        if text.peek() == UInt8(ascii: "\"") { return .member(try text.string().text) }
        let place = text.position
        let name = text.name(at: place)
        guard !name.isEmpty else {
            throw unexpected(
                "a member's name", remedy: #"Put other than plain names into quotes: ."a b"."#)
        }
        text.position += name.utf8.count
        if text.take("(") {
            throw text.wrong(
                "filters have no methods like .\(name)()", at: place,
                remedy: "Compare the value itself.")
        }
        return .member(name)
    }

    private mutating func subscripts() throws(BrokerError) -> [Subscript] {
        if text.take("*") {
            guard text.take("]") else { throw unexpected("']'") }
            return []
        }
        var list: [Subscript] = []
        repeat {
            let from = try bound()
            list.append(Subscript(from: from, to: text.take(word: "to") ? try bound() : from))
        } while text.take(",")
        guard text.take("]") else { throw unexpected("',' or ']'") }
        return list
    }

    private mutating func bound() throws(BrokerError) -> Subscript.Bound {
        if text.take(word: "last") {
            return .beforeLast(text.take("-") ? try text.index() : 0)
        }
        guard let byte = text.peek(), (0x30...0x39).contains(byte) else {
            throw unexpected(
                "an index, 'last' or '*'",
                remedy: "Indexes count from 0; from the end: last, last - 1.")
        }
        return .index(try text.index())
    }

    /// Whether the name may stand in a path without quotes.
    static func isPlainName(_ name: String) -> Bool {
        !name.isEmpty && FilterText(name).name(at: 0) == name
    }

    // MARK: Errors

    /// An error at the next byte; what other dialects have there is named.
    private func unexpected(_ expected: String, remedy: String? = nil) -> BrokerError {
        var ahead = text
        ahead.skipSpace()
        switch ahead.peek() {
        case UInt8(ascii: "?"):
            return ahead.wrong(
                "filters have no '?()'",
                remedy: "Write its conditions on paths from '$', combined with &&.")
        case UInt8(ascii: "@"):
            return ahead.wrong("there is no '@'", remedy: "Begin the path with '$'.")
        case UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "*"), UInt8(ascii: "/"),
            UInt8(ascii: "%"):
            return ahead.wrong(
                "filters do not calculate",
                remedy: #"A name with such a character goes into quotes: ."my-name"."#)
        case UInt8(ascii: "&"):
            return ahead.wrong("there is no '&'", remedy: "Write '&&'.")
        case UInt8(ascii: "|"):
            return ahead.wrong("there is no '|'", remedy: "Write '||'.")
        case UInt8(ascii: "'"):
            return ahead.wrong("expected \(expected)", remedy: "Strings have double quotes.")
        default: break
        }
        if ["lax", "strict"].contains(ahead.name(at: ahead.position).lowercased()) {
            return ahead.wrong(
                "a filter names no mode", remedy: "Leave it out; every filter is lax.")
        }
        return ahead.wrong("expected \(expected), found \(ahead.found)", remedy: remedy)
    }
}
