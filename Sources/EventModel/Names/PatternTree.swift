/// Values by pattern, found by name without comparing each pattern.
///
/// The patterns are a tree of segments, so a name walks down few branches of it, and 10,000
/// patterns cost a name next to nothing.
package struct PatternTree<Value> {
    fileprivate struct Node {
        /// By segment; `*` is one that no name has.
        var children: [Substring: Node] = [:]
        /// Of the patterns that end here, and of those that go on with `>`.
        var ends: [Value] = []
        var rests: [Value] = []

        var isEmpty: Bool { children.isEmpty && ends.isEmpty && rests.isEmpty }
    }

    private var root = Node()

    package init() {}

    package var isEmpty: Bool { root.isEmpty }

    package mutating func insert(_ value: Value, for pattern: TopicPattern) {
        Self.change(&root, Self.segments(of: pattern.text)) { $0.append(value) }
    }

    /// Takes out the values of the pattern for which `isGone` holds.
    package mutating func remove(
        _ pattern: TopicPattern, where isGone: (Value) -> Bool = { _ in true }
    ) {
        Self.change(&root, Self.segments(of: pattern.text)) { $0.removeAll(where: isGone) }
    }

    private static func change(
        _ node: inout Node, _ segments: ArraySlice<Substring>, _ body: (inout [Value]) -> Void
    ) {
        guard let segment = segments.first else { return body(&node.ends) }
        if segment == ">" { return body(&node.rests) }
        change(&node.children[segment, default: Node()], segments.dropFirst(), body)
        if node.children[segment]?.isEmpty == true { node.children[segment] = nil }
    }

    /// The values of the pattern.
    package func values(of pattern: TopicPattern) -> [Value] {
        var node = root
        for segment in Self.segments(of: pattern.text) {
            if segment == ">" { return node.rests }
            guard let next = node.children[segment] else { return [] }
            node = next
        }
        return node.ends
    }

    /// Calls `body` with the values of all patterns that match, until it returns `false`.
    package func forEach(matching name: TopicName, _ body: (Value) -> Bool) {
        _ = Self.visit(root, Self.segments(of: name.text), name.isReserved, body)
    }

    /// Whether a pattern matches.
    package func matches(_ name: TopicName) -> Bool {
        var isFound = false
        forEach(matching: name) { _ in
            isFound = true
            return false
        }
        return isFound
    }

    /// A reserved name is matched by no wildcard in the first segment (doc:CommonRules).
    private static func visit(
        _ node: Node, _ segments: ArraySlice<Substring>, _ isReserved: Bool,
        _ body: (Value) -> Bool
    ) -> Bool {
        guard let segment = segments.first else { return node.ends.allSatisfy(body) }
        let following = segments.dropFirst()
        if let next = node.children[segment], !visit(next, following, false, body) { return false }
        if isReserved { return true }
        if let next = node.children["*"], !visit(next, following, false, body) { return false }
        return node.rests.allSatisfy(body)
    }

    private static func segments(of text: String) -> ArraySlice<Substring> {
        text.split(separator: ".")[...]
    }
}

extension PatternTree where Value == Bool {
    /// Patterns of which only is asked whether one matches.
    package init(_ patterns: some Sequence<TopicPattern>) {
        self.init()
        for pattern in patterns { insert(true, for: pattern) }
    }
}

extension PatternTree: Sendable where Value: Sendable {}
extension PatternTree.Node: Sendable where Value: Sendable {}
