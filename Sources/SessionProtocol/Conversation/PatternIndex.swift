import EventModel

/// Finds the pattern that matches a name without comparing each of them.
///
/// A session may name 10,000 topics and 1,000 patterns; comparing all pairs would hold up its event
/// loop for seconds.
struct PatternIndex {
    private var tree = PatternTree<Entry>()

    typealias Entry = (pattern: TopicPattern, id: Int64)

    init(_ entries: [Entry]) {
        for entry in entries { tree.insert(entry, for: entry.pattern) }
    }

    /// One of the patterns that match, or `nil`.
    func match(_ name: TopicName) -> Entry? {
        var found: Entry?
        tree.forEach(matching: name) { entry in
            found = entry
            return false
        }
        return found
    }
}
