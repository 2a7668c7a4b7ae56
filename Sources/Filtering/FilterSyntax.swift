internal import EventModel

/// What a path begins at.
enum FilterRoot: String, Sendable {
    case data = "$"
    case key = "$key"
    case topic = "$topic"
    case attributes = "$attributes"
}

/// Elements of an array by their index.
struct Subscript: Hashable, Sendable {
    /// An index from the first element, or from the last one.
    enum Bound: Hashable, Sendable {
        case index(Int)
        case beforeLast(Int)

        func index(count: Int) -> Int {
            switch self {
            case .index(let index): index
            case .beforeLast(let distance): count - 1 - distance
            }
        }
    }

    let from: Bound
    let to: Bound

    /// Whether it takes the array's size to know what is meant; `to last` means what is left.
    var needsCount: Bool {
        if case .beforeLast = from { return true }
        if case .beforeLast(let distance) = to { return distance != 0 }
        return false
    }

    /// Whether the element is meant, in an array of `count` elements; any count above `index` will
    /// do if `needsCount` is false.
    func contains(_ index: Int, count: Int) -> Bool {
        index >= from.index(count: count) && index <= to.index(count: count)
    }
}

/// One step of a path.
enum PathStep: Hashable, Sendable {
    case member(String)
    case anyMember
    /// `[*]` is the empty list.
    case elements([Subscript])
}

/// A path: where it begins, and its steps.
struct FilterPath: Hashable, Sendable {
    let root: FilterRoot
    var steps: [PathStep]
}

/// One condition on what a path finds.
enum FilterTest: Sendable {
    case exists(FilterPath)
    case comparison(FilterPath, ComparisonOperator, FilterValue)
    case pathComparison(FilterPath, ComparisonOperator, FilterPath)
    case beginning(FilterPath, String)
    case likeness(FilterPath, pattern: String, flags: String, Automaton)
}

/// How tests are combined.
indirect enum FilterCondition: Sendable {
    /// The number of the test.
    case test(Int)
    case not(FilterCondition)
    case isUnknown(FilterCondition)
    case and(FilterCondition, FilterCondition)
    case or(FilterCondition, FilterCondition)
}

/// Writes a filter the way that all filters that mean the same syntax are written.
struct FilterWriter {
    private(set) var text = ""
    private let tests: [FilterTest]

    init(_ condition: FilterCondition, tests: [FilterTest]) {
        self.tests = tests
        write(condition)
    }

    private mutating func write(_ condition: FilterCondition) {
        switch condition {
        case .test(let index): write(tests[index])
        case .not(let inner):
            text += "!("
            write(inner)
            text += ")"
        case .isUnknown(let inner):
            text += "("
            write(inner)
            text += ") is unknown"
        case .and(let left, let right):
            write(left, groupsAnd: false)
            text += " && "
            write(right, groupsAnd: true)
        case .or(let left, let right):
            write(left)
            text += " || "
            if case .or = right { writeGroup(right) } else { write(right) }
        }
    }

    private mutating func write(_ condition: FilterCondition, groupsAnd: Bool) {
        switch condition {
        case .or: writeGroup(condition)
        case .and where groupsAnd: writeGroup(condition)
        case .and, .test, .not, .isUnknown: write(condition)
        }
    }

    private mutating func writeGroup(_ condition: FilterCondition) {
        text += "("
        write(condition)
        text += ")"
    }

    private mutating func write(_ test: FilterTest) {
        switch test {
        case .exists(let path): text += "exists(\(Self.text(of: path)))"
        case .comparison(let path, let comparison, let value):
            text += "\(Self.text(of: path)) \(comparison.rawValue) \(Self.text(of: value))"
        case .pathComparison(let left, let comparison, let right):
            text += "\(Self.text(of: left)) \(comparison.rawValue) \(Self.text(of: right))"
        case .beginning(let path, let prefix):
            text += "\(Self.text(of: path)) starts with \(Self.quotedText(prefix))"
        case .likeness(let path, let pattern, let flags, _):
            text += "\(Self.text(of: path)) like_regex \(Self.quotedText(pattern))"
            if !flags.isEmpty { text += " flag \(Self.quotedText(flags))" }
        }
    }

    private static func text(of value: FilterValue) -> String {
        switch value.item {
        case .null, .container: "null"
        case .boolean(let value): value ? "true" : "false"
        case .number: String(decoding: value.text, as: UTF8.self)
        case .string: quotedText(String(decoding: value.text, as: UTF8.self))
        }
    }

    private static func text(of path: FilterPath) -> String {
        path.steps.reduce(into: path.root.rawValue) { text, step in
            switch step {
            case .member(let name):
                text += FilterParser.isPlainName(name) ? ".\(name)" : ".\(quotedText(name))"
            case .anyMember: text += ".*"
            case .elements(let list):
                let parts = list.map { part in
                    let from = Self.text(of: part.from)
                    return part.from == part.to ? from : "\(from) to \(Self.text(of: part.to))"
                }
                text += parts.isEmpty ? "[*]" : "[\(parts.joined(separator: ", "))]"
            }
        }
    }

    private static func text(of bound: Subscript.Bound) -> String {
        switch bound {
        case .index(let index): "\(index)"
        case .beforeLast(let distance): distance == 0 ? "last" : "last - \(distance)"
        }
    }

    private static func quotedText(_ text: String) -> String {
        var writer = JSONWriter()
        writer.string(text)
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
