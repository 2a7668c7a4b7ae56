/// A value as comparisons see it, where it stands in its text.
enum FilterItem: Hashable, Sendable {
    case null
    case boolean(Bool)
    case number(DecimalText)
    case string(StringText)
    /// An object or an array, which nothing can be compared with.
    case container

    /// The value at `start` of a JSON text, and where it ends.
    static func read(_ text: Span<UInt8>, from start: Int) -> (item: FilterItem, end: Int) {
        switch text.byte(at: start) {
        case UInt8(ascii: "\""):
            let (end, hasEscapes) = text.endOfString(from: start)
            let inner = start + 1..<max(start + 1, end - 1)
            return (.string(StringText(range: inner, hasEscapes: hasEscapes)), end)
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            return (.container, text.endOfValue(from: start))
        case UInt8(ascii: "t"): return (.boolean(true), text.endOfWord(from: start))
        case UInt8(ascii: "f"): return (.boolean(false), text.endOfWord(from: start))
        case UInt8(ascii: "n"): return (.null, text.endOfWord(from: start))
        default:
            let end = text.endOfWord(from: start)
            return (.number(DecimalText(text, in: start..<end)), end)
        }
    }
}

/// A value with its text: a literal of a filter, or one that was put aside.
struct FilterValue: Hashable, Sendable {
    let item: FilterItem
    let text: [UInt8]

    static let null = FilterValue(item: .null, text: [])

    static func boolean(_ value: Bool) -> FilterValue {
        FilterValue(item: .boolean(value), text: [])
    }

    static func number(_ text: [UInt8]) -> FilterValue {
        FilterValue(item: .number(DecimalText(text.span, in: 0..<text.count)), text: text)
    }

    static func string(_ text: [UInt8], hasEscapes: Bool = false) -> FilterValue {
        let range = 0..<text.count
        return FilterValue(
            item: .string(StringText(range: range, hasEscapes: hasEscapes)), text: text)
    }

    private init(item: FilterItem, text: [UInt8]) {
        self.item = item
        self.text = text
    }

    /// A copy of the value that `item` is in `range` of `text`.
    init(_ item: FilterItem, of text: Span<UInt8>, in range: Range<Int>) {
        switch item {
        case .null, .boolean, .container: self.init(item: item, text: [])
        case .number: self = .number(Self.bytes(text, in: range))
        case .string(let string):
            self = .string(Self.bytes(text, in: string.range), hasEscapes: string.hasEscapes)
        }
    }

    private static func bytes(_ text: Span<UInt8>, in range: Range<Int>) -> [UInt8] {
        range.map { text.byte(at: $0) }
    }
}

/// What is known of a condition: SQL's three values.
enum Truth: Hashable, Sendable {
    case yes
    case no
    case unknown
}

/// An operator that compares two values.
enum ComparisonOperator: String, Sendable {
    case equal = "=="
    case notEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="

    /// The operator that says the same of the operands in the other order.
    var mirrored: ComparisonOperator {
        switch self {
        case .equal, .notEqual: self
        case .less: .greater
        case .lessOrEqual: .greaterOrEqual
        case .greater: .less
        case .greaterOrEqual: .lessOrEqual
        }
    }

    private func holds(_ order: Int) -> Bool {
        switch self {
        case .equal: order == 0
        case .notEqual: order != 0
        case .less: order < 0
        case .lessOrEqual: order <= 0
        case .greater: order > 0
        case .greaterOrEqual: order >= 0
        }
    }

    /// Compares as jsonpath does: null equals itself alone, other values of different types, arrays
    /// and objects are not comparable.
    func compare(
        _ left: FilterItem, _ leftText: Span<UInt8>, _ right: FilterItem, _ rightText: Span<UInt8>
    ) -> Truth {
        let order: Int
        switch (left, right) {
        case (.null, .null): order = 0
        case (.null, _), (_, .null): return self == .notEqual ? .yes : .no
        case (.boolean(let left), .boolean(let right)):
            order = (left ? 1 : 0) - (right ? 1 : 0)
        case (.number(let left), .number(let right)):
            order = left.order(leftText, against: right, rightText)
        case (.string(let left), .string(let right)):
            order = left.order(leftText, against: right, rightText)
        case (.boolean, _), (.number, _), (.string, _), (.container, _): return .unknown
        }
        return holds(order) ? .yes : .no
    }
}
