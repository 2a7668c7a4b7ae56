package import EventModel
internal import Synchronization

/// The topics as this node knows them: names, ids, and how far the catalog has been read.
///
/// Ids belong to an incarnation, so a lookup names it. Only reading advances the version; what an
/// append learned by creating a topic is known for lookups, but told to nobody until it has been
/// read (doc:AppendAndFollow, "New topics").
final class Catalog: Sendable {
    private let state = Mutex(CatalogState())

    /// Ids of another incarnation than this are forgotten.
    func begin(_ incarnation: String) { state.withLock { $0.begin(incarnation) } }

    func entry(of name: TopicName, in incarnation: String) -> CatalogEntry? {
        state.withLock { $0.entry(of: name, in: incarnation) }
    }

    /// Whether the sink has been told of the topic.
    func isTold(_ name: TopicName, in incarnation: String) -> Bool {
        state.withLock { $0.isTold(name, in: incarnation) }
    }

    /// The topic's own policy, in whatever incarnation was read last.
    func overflow(of name: TopicName) -> OverflowPolicy? {
        state.withLock { $0.entry(of: name, in: $0.incarnation)?.overflow }
    }

    func name(of topicID: Int32, in incarnation: String) -> TopicName? {
        state.withLock { $0.name(of: topicID, in: incarnation) }
    }

    func learn(_ entries: [TopicName: CatalogEntry], in incarnation: String) {
        state.withLock { $0.learn(entries, in: incarnation) }
    }

    /// The id was found to be nobody's.
    func forget(_ name: TopicName, id: Int32) { state.withLock { $0.forget(name, id: id) } }

    /// Up to where the catalog has been read; `nil` for another incarnation.
    func version(in incarnation: String) -> Int64? {
        state.withLock { $0.incarnation == incarnation ? $0.version : nil }
    }

    func apply(_ rows: [CatalogRow], in incarnation: String) -> CatalogChanges {
        state.withLock { $0.apply(rows, in: incarnation) }
    }

    /// Holds nobody up: the state is copied on write.
    func topics(
        matching patterns: [TopicPattern], after: TopicName?, count: Int
    ) -> [TopicName] {
        sorted().topics(matching: patterns, after: after, count: count)
    }

    /// The topics that a pattern matches, with their entries, by name.
    func entries(
        matching pattern: TopicPattern, in incarnation: String
    ) -> [(TopicName, CatalogEntry)] {
        let state = sorted()
        return state.topics(matching: [pattern], after: nil, count: .max).compactMap { name in
            state.entry(of: name, in: incarnation).map { (name, $0) }
        }
    }

    private func sorted() -> CatalogState {
        state.withLock { state in
            state.sort()
            return state
        }
    }
}

/// What a lookup tells of a topic.
package struct CatalogEntry: Hashable, Sendable {
    package var id: Int32
    package var isEphemeral: Bool
    /// The most bytes of one event; `nil` for the broker's limit.
    package var eventBytesMax: Int?
    /// What a subscription does that names no policy itself; `nil` for the broker's default.
    package var overflow: OverflowPolicy?

    package init(
        id: Int32, isEphemeral: Bool, eventBytesMax: Int? = nil, overflow: OverflowPolicy? = nil
    ) {
        self.id = id
        self.isEphemeral = isEphemeral
        self.eventBytesMax = eventBytesMax
        self.overflow = overflow
    }
}

/// A row of `sluice.topics`, tombstones included.
package struct CatalogRow: Sendable {
    package var name: TopicName
    package var entry: CatalogEntry
    package var isDeleted: Bool
    package var purgedBelow: Offset
    package var version: Int64

    package init(
        name: TopicName, entry: CatalogEntry, isDeleted: Bool, purgedBelow: Offset, version: Int64
    ) {
        self.name = name
        self.entry = entry
        self.isDeleted = isDeleted
        self.purgedBelow = purgedBelow
        self.version = version
    }
}

/// What a reading of the catalog brought, to be told in this order.
package struct CatalogChanges: Hashable, Sendable {
    package var deleted: [TopicName] = []
    package var created: [TopicName] = []
    package var purged: [TopicName: Offset] = [:]

    package init() {}
}

/// The catalog's state, without its lock.
package struct CatalogState: Sendable {
    package private(set) var incarnation = ""
    /// -1 before the first reading in this incarnation, which reads everything.
    package private(set) var version: Int64 = -1
    private var entries: [TopicName: CatalogEntry] = [:]
    private var names: [Int32: TopicName] = [:]
    /// What the sink knows, across incarnations.
    private var told: [TopicName: Told] = [:]

    /// The names that are told, in order, but for those that came since they were sorted; with some
    /// that are gone.
    private var sorted: [TopicName] = []
    private var unsorted: [TopicName] = []

    private static let unsortedMin = 1000

    private struct Told {
        var id: Int32
        var purgedBelow: Offset
    }

    package init() {}

    package mutating func begin(_ incarnation: String) {
        guard incarnation != self.incarnation else { return }
        self.incarnation = incarnation
        version = -1
        entries = [:]
        names = [:]
    }

    package func entry(of name: TopicName, in incarnation: String) -> CatalogEntry? {
        incarnation == self.incarnation ? entries[name] : nil
    }

    /// Whether the topic that is known by the name is the one that changes told of.
    package func isTold(_ name: TopicName, in incarnation: String) -> Bool {
        guard let entry = entry(of: name, in: incarnation) else { return false }
        return told[name]?.id == entry.id
    }

    package func name(of topicID: Int32, in incarnation: String) -> TopicName? {
        incarnation == self.incarnation ? names[topicID] : nil
    }

    package mutating func learn(_ learned: [TopicName: CatalogEntry], in incarnation: String) {
        guard incarnation == self.incarnation else { return }
        for (name, entry) in learned { set(name, entry) }
    }

    package mutating func forget(_ name: TopicName, id: Int32) {
        guard entries[name]?.id == id else { return }
        entries[name] = nil
        names[id] = nil
    }

    /// Takes in the rows above the version, in the order of their versions.
    package mutating func apply(_ rows: [CatalogRow], in incarnation: String) -> CatalogChanges {
        var changes = CatalogChanges()
        guard incarnation == self.incarnation else { return changes }
        let isComplete = version < 0
        var present: Set<TopicName> = []
        for row in rows {
            version = max(version, row.version)
            if row.isDeleted {
                forget(row.name, id: row.entry.id)
                if told[row.name]?.id == row.entry.id { retract(row.name, &changes) }
            } else {
                set(row.name, row.entry)
                present.insert(row.name)
                tell(row, &changes)
            }
        }
        version = max(version, 0)
        if isComplete {
            for name in told.keys where !present.contains(name) { retract(name, &changes) }
        }
        // Topics may come and go while nobody asks for their order.
        if unsorted.count > 2 * told.count + Self.unsortedMin { sort() }
        return changes
    }

    private mutating func tell(_ row: CatalogRow, _ changes: inout CatalogChanges) {
        if let known = told[row.name], known.id != row.entry.id { retract(row.name, &changes) }
        if let known = told[row.name] {
            if row.purgedBelow > known.purgedBelow { changes.purged[row.name] = row.purgedBelow }
        } else {
            changes.created.append(row.name)
            unsorted.append(row.name)
        }
        told[row.name] = Told(id: row.entry.id, purgedBelow: row.purgedBelow)
    }

    private mutating func retract(_ name: TopicName, _ changes: inout CatalogChanges) {
        told[name] = nil
        // A topic that came and went within one reading is told to nobody.
        if let index = changes.created.firstIndex(of: name) {
            changes.created.remove(at: index)
        } else {
            changes.deleted.append(name)
        }
    }

    private mutating func set(_ name: TopicName, _ entry: CatalogEntry) {
        if let before = entries[name], before.id != entry.id { names[before.id] = nil }
        entries[name] = entry
        names[entry.id] = name
    }

    /// Brings the names in order; costs a look at each if some are new.
    package mutating func sort() {
        guard !unsorted.isEmpty else { return }
        // Sorted already but for the new ones behind, which the sort makes use of.
        let names = Set(unsorted)
        let kept = sorted.filter { told[$0] != nil && !names.contains($0) }
        sorted = (kept + names.filter { told[$0] != nil }).sorted { $0.text < $1.text }
        unsorted = []
    }

    /// The topics that one of the patterns matches, at most `count` behind `after`, by name; as
    /// they were sorted last.
    package func topics(
        matching patterns: [TopicPattern], after: TopicName?, count: Int
    ) -> [TopicName] {
        let prefix = patterns.count == 1 ? patterns[0].literalPrefix : ""
        var found: [TopicName] = []
        for name in sorted[firstIndex(after: after, from: prefix)...] {
            guard found.count < count, name.text.hasPrefix(prefix) else { break }
            if told[name] != nil, patterns.contains(where: { $0.matches(name) }) {
                found.append(name)
            }
        }
        return found
    }

    /// The first sorted name that is behind `after`, and not before `prefix`.
    private func firstIndex(after: TopicName?, from prefix: String) -> Int {
        var (low, high) = (0, sorted.count)
        while low < high {
            let middle = (low + high) / 2
            let text = sorted[middle].text
            if text < prefix || after.map({ text <= $0.text }) ?? false {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }
}
