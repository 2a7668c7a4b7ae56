/// One walk over an event's texts, which answers all tests of a filter.
///
/// Lax, as jsonpath is by default: what is not there is no error; a member of an array is that of
/// its elements, and the first element of what is no array is itself; at the end of a path an array
/// stands for its elements. As a test asks whether *some* value fits, the order does not matter, and
/// no list of values is made.
struct FilterScan {
    private let program: FilterProgram
    /// Whether the walk looks for another value of the same name before it takes one.
    ///
    /// A name that is in an object twice means its last value. Few objects have one, so the first
    /// walk stops where it meets one, and a second one looks ahead.
    private let looksAhead: Bool
    private(set) var hasRepeatedName = false
    /// Tests that some value fits, and tests that some value could not be asked: a bit each.
    private var fulfilled: UInt64 = 0
    private var unclear: UInt64 = 0
    /// Values put aside for comparisons of paths, side by side.
    private var sides: [[FilterValue]] = []

    /// Values of each side of a comparison of two paths; with more it is unknown unless some of
    /// the first fit.
    static let sideMax = 256

    init(_ program: FilterProgram, looksAhead: Bool) {
        self.program = program
        self.looksAhead = looksAhead
        if !program.pathComparisons.isEmpty {
            sides = Array(repeating: [], count: program.pathComparisons.count * 2)
        }
    }

    // MARK: Results

    /// Compares what was put aside.
    mutating func finish() {
        for (index, (test, comparison)) in program.pathComparisons.enumerated() {
            for left in sides[index * 2] {
                for right in sides[index * 2 + 1] {
                    note(
                        comparison.compare(
                            left.item, left.text.span, right.item, right.text.span), test)
                }
            }
        }
    }

    /// What is known of a condition.
    func truth(of condition: FilterCondition) -> Truth {
        switch condition {
        case .test(let test):
            if fulfilled & Self.bit(test) != 0 { return .yes }
            return unclear & Self.bit(test) != 0 ? .unknown : .no
        case .not(let inner):
            switch truth(of: inner) {
            case .yes: return .no
            case .no: return .yes
            case .unknown: return .unknown
            }
        case .isUnknown(let inner): return truth(of: inner) == .unknown ? .yes : .no
        case .and(let left, let right):
            let first = truth(of: left)
            if first == .no { return .no }
            let second = truth(of: right)
            return second == .yes ? first : second
        case .or(let left, let right):
            let first = truth(of: left)
            if first == .yes { return .yes }
            let second = truth(of: right)
            return second == .no ? first : second
        }
    }

    private static func bit(_ number: Int) -> UInt64 { 1 << UInt64(number) }

    private mutating func note(_ truth: Truth, _ test: Int) {
        switch truth {
        case .yes: fulfilled |= Self.bit(test)
        case .unknown: unclear |= Self.bit(test)
        case .no: break
        }
    }

    // MARK: Values

    /// Walks over a JSON text from a root.
    mutating func read(_ text: Span<UInt8>, from node: Int) {
        _ = value(text, at: text.spaceSkipped(from: 0), program.nodes[node])
    }

    /// Takes a text that is no JSON as a string.
    mutating func readString(_ text: Span<UInt8>, from node: Int) {
        let string = FilterItem.string(StringText(range: 0..<text.count, hasEscapes: false))
        take(text, string, 0..<text.count, program.nodes[node])
    }

    /// A value that is no container, which is also its own first element.
    private mutating func take(
        _ text: Span<UInt8>, _ item: FilterItem, _ range: Range<Int>, _ node: FilterProgram.Node
    ) {
        fulfilled |= node.existing
        ask(text, item, range, node)
        for (list, next) in node.elements where Self.contains(list, 0, count: 1) {
            take(text, item, range, program.nodes[next])
        }
    }

    /// Walks over the value at `start`, and gives where it ends.
    private mutating func value(
        _ text: Span<UInt8>, at start: Int, _ node: FilterProgram.Node
    ) -> Int {
        switch text.byte(at: start) {
        case UInt8(ascii: "["):
            fulfilled |= node.existing
            return array(text, at: start, node)
        case UInt8(ascii: "{"):
            fulfilled |= node.existing
            if !node.questions.isEmpty { ask(text, .container, start..<start, node) }
            let end =
                node.wantsMembers
                ? members(text, at: start, node) : text.endOfValue(from: start)
            for (list, next) in node.elements where Self.contains(list, 0, count: 1) {
                _ = value(text, at: start, program.nodes[next])
            }
            return end
        default:
            let (item, end) = FilterItem.read(text, from: start)
            take(text, item, start..<end, node)
            return end
        }
    }

    private mutating func array(
        _ text: Span<UInt8>, at start: Int, _ node: FilterProgram.Node
    ) -> Int {
        let count = node.needsCount ? text.elementCount(from: start) : .max
        var position = text.spaceSkipped(from: start + 1)
        guard text.byte(at: position) != UInt8(ascii: "]") else { return position + 1 }
        var index = 0
        while true {
            var end: Int?
            if !node.questions.isEmpty {
                let (item, itemEnd) = FilterItem.read(text, from: position)
                ask(text, item, position..<itemEnd, node)
                end = itemEnd
            }
            if node.wantsMembers, text.byte(at: position) == UInt8(ascii: "{") {
                end = members(text, at: position, node)
            }
            for (list, next) in node.elements where Self.contains(list, index, count: count) {
                end = value(text, at: position, program.nodes[next])
            }
            guard !hasRepeatedName else { return text.count }
            position = text.spaceSkipped(from: end ?? text.endOfValue(from: position))
            guard text.byte(at: position) == UInt8(ascii: ",") else { return position + 1 }
            position = text.spaceSkipped(from: position + 1)
            index += 1
        }
    }

    private static func contains(_ list: [Subscript], _ index: Int, count: Int) -> Bool {
        list.isEmpty || list.contains { $0.contains(index, count: count) }
    }

    // MARK: Members

    private mutating func members(
        _ text: Span<UInt8>, at start: Int, _ node: FilterProgram.Node
    ) -> Int {
        var seen: UInt64 = 0
        var position = text.spaceSkipped(from: start + 1)
        guard text.byte(at: position) == UInt8(ascii: "\"") else { return position + 1 }
        while true {
            let (name, start) = Self.name(text, at: position)
            var end: Int?
            if let index = Self.wanted(text, name, node) {
                let (known, next) = node.members[index]
                if looksAhead {
                    if !Self.isRepeated(text, known, behind: start) {
                        end = value(text, at: start, program.nodes[next])
                    }
                } else {
                    hasRepeatedName = seen & Self.bit(index) != 0
                    guard !hasRepeatedName else { return text.count }
                    seen |= Self.bit(index)
                    end = value(text, at: start, program.nodes[next])
                }
            }
            if let next = node.anyMember { end = value(text, at: start, program.nodes[next]) }
            guard !hasRepeatedName else { return text.count }
            position = text.spaceSkipped(from: end ?? text.endOfValue(from: start))
            guard text.byte(at: position) == UInt8(ascii: ",") else { return position + 1 }
            position = text.spaceSkipped(from: position + 1)
        }
    }

    /// The name at `position`, and where its value begins.
    private static func name(_ text: Span<UInt8>, at position: Int) -> (StringText, Int) {
        let (end, hasEscapes) = text.endOfString(from: position)
        let range = position + 1..<max(position + 1, end - 1)
        let colon = text.spaceSkipped(from: end)
        return (
            StringText(range: range, hasEscapes: hasEscapes), text.spaceSkipped(from: colon + 1)
        )
    }

    /// Which of the node's members has the name.
    private static func wanted(
        _ text: Span<UInt8>, _ name: StringText, _ node: FilterProgram.Node
    ) -> Int? {
        let mayBe =
            name.hasEscapes || node.nameLengths & Self.bit(name.range.count & 63) != 0
        guard mayBe else { return nil }
        return node.members.firstIndex { isSame(text, name, $0.name) }
    }

    private static func isSame(
        _ text: Span<UInt8>, _ name: StringText, _ known: [UInt8]
    ) -> Bool {
        guard name.hasEscapes || name.range.count == known.count else { return false }
        let knownName = StringText(range: 0..<known.count, hasEscapes: false)
        return name.order(text, against: knownName, known.span) == 0
    }

    /// Whether the object has another value for the name, behind the one at `start`.
    private static func isRepeated(
        _ text: Span<UInt8>, _ known: [UInt8], behind start: Int
    ) -> Bool {
        var position = text.spaceSkipped(from: text.endOfValue(from: start))
        while text.byte(at: position) == UInt8(ascii: ",") {
            let (name, start) = name(text, at: text.spaceSkipped(from: position + 1))
            if isSame(text, name, known) { return true }
            position = text.spaceSkipped(from: text.endOfValue(from: start))
        }
        return false
    }

    // MARK: Questions

    private mutating func ask(
        _ text: Span<UInt8>, _ item: FilterItem, _ range: Range<Int>, _ node: FilterProgram.Node
    ) {
        for (test, question) in node.questions where fulfilled & Self.bit(test) == 0 {
            switch question {
            case .comparison(let comparison, let value):
                note(comparison.compare(item, text, value.item, value.text.span), test)
            case .beginning(let prefix):
                guard case .string(let string) = item else { note(.unknown, test); continue }
                note(string.begins(text, with: prefix) ? .yes : .no, test)
            case .likeness(let automaton):
                guard case .string(let string) = item else { note(.unknown, test); continue }
                note(automaton.matches(string, in: text) ? .yes : .no, test)
            case .side(let side):
                if sides[side].count < Self.sideMax {
                    sides[side].append(FilterValue(item, of: text, in: range))
                } else {
                    note(.unknown, test)
                }
            }
        }
    }
}
