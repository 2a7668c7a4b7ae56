import EventModel

/// Finds the pattern that matches a name without comparing each of them.
///
/// A session may name 10,000 topics and 1,000 patterns; comparing all pairs would hold up its event
/// loop for seconds. The patterns are a tree of segments, so a name walks down few branches of it.
struct PatternIndex {
    private var nodes = [Node()]

    private struct Node {
        var literals: [Substring: Int] = [:]
        var any: Int?
        /// A pattern that ends here, and one that goes on with `>`.
        var end: Entry?
        var rest: Entry?
    }

    typealias Entry = (pattern: TopicPattern, id: Int64)

    init(_ entries: [Entry]) {
        for entry in entries { insert(entry) }
    }

    private mutating func insert(_ entry: Entry) {
        var node = 0
        for segment in entry.pattern.text.split(separator: ".") {
            switch segment {
            case ">":
                nodes[node].rest = nodes[node].rest ?? entry
                return
            case "*":
                if nodes[node].any == nil { nodes[node].any = newNode() }
                node = nodes[node].any ?? node
            default:
                let next = nodes[node].literals[segment] ?? newNode()
                nodes[node].literals[segment] = next
                node = next
            }
        }
        nodes[node].end = nodes[node].end ?? entry
    }

    private mutating func newNode() -> Int {
        nodes.append(Node())
        return nodes.count - 1
    }

    /// One of the patterns that match, or `nil`.
    func match(_ name: TopicName) -> Entry? {
        match(name.text.split(separator: ".")[...], at: 0, isReserved: name.isReserved)
    }

    /// A reserved name is matched by no wildcard in the first segment (doc:CommonRules).
    private func match(
        _ segments: ArraySlice<Substring>, at node: Int, isReserved: Bool
    ) -> Entry? {
        guard let segment = segments.first else { return nodes[node].end }
        let following = segments.dropFirst()
        if let next = nodes[node].literals[segment],
            let entry = match(following, at: next, isReserved: false)
        {
            return entry
        }
        if isReserved { return nil }
        if let next = nodes[node].any, let entry = match(following, at: next, isReserved: false) {
            return entry
        }
        return nodes[node].rest
    }
}
