import DurableLog
import EventModel
import Testing

@Suite("The catalog of topics") struct CatalogStateTests {
    let name: TopicName
    let other: TopicName

    init() throws {
        name = try TopicName("orders.eu")
        other = try TopicName("orders.us")
    }

    func row(
        _ name: TopicName, _ id: Int32, version: Int64, isDeleted: Bool = false,
        purgedBelow: Offset = 1
    ) -> CatalogRow {
        CatalogRow(
            name: name, entry: CatalogEntry(id: id, isEphemeral: false), isDeleted: isDeleted,
            purgedBelow: purgedBelow, version: version)
    }

    private func topics(_ catalog: CatalogState, _ pattern: TopicPattern) -> [TopicName] {
        var catalog = catalog
        catalog.sort()
        return catalog.topics(matching: [pattern], after: nil, count: .max)
    }

    func begun() -> CatalogState {
        var catalog = CatalogState()
        catalog.begin("a")
        return catalog
    }

    @Test func `advances its version by reading only`() {
        var catalog = begun()
        #expect(catalog.version == -1)
        catalog.learn([name: CatalogEntry(id: 1, isEphemeral: false)], in: "a")
        #expect(catalog.version == -1)
        #expect(catalog.entry(of: name, in: "a")?.id == 1)
        #expect(topics(catalog, TopicPattern(name)).isEmpty)
        #expect(catalog.apply([row(name, 1, version: 7)], in: "a").created == [name])
        #expect(catalog.version == 7)
        #expect(topics(catalog, TopicPattern(name)) == [name])
    }

    @Test func `has not told of what an append has learned, nor of a successor that it has`() {
        var catalog = begun()
        #expect(!catalog.isTold(name, in: "a"))
        catalog.learn([name: CatalogEntry(id: 1, isEphemeral: false)], in: "a")
        #expect(!catalog.isTold(name, in: "a"))
        _ = catalog.apply([row(name, 1, version: 7)], in: "a")
        #expect(catalog.isTold(name, in: "a"))
        #expect(!catalog.isTold(name, in: "b"))
        catalog.learn([name: CatalogEntry(id: 2, isEphemeral: false)], in: "a")
        #expect(!catalog.isTold(name, in: "a"))
    }

    @Test func `tells a topic once, and its purges`() {
        var catalog = begun()
        _ = catalog.apply([row(name, 1, version: 1)], in: "a")
        #expect(catalog.apply([row(name, 1, version: 2)], in: "a") == CatalogChanges())
        let changes = catalog.apply([row(name, 1, version: 3, purgedBelow: 9)], in: "a")
        #expect(changes.purged == [name: 9])
        #expect(changes.created.isEmpty)
    }

    @Test func `tells a deletion, and the successor of the name as new`() {
        var catalog = begun()
        _ = catalog.apply([row(name, 1, version: 1)], in: "a")
        let changes = catalog.apply(
            [row(name, 1, version: 2, isDeleted: true), row(name, 5, version: 3)], in: "a")
        #expect(changes.deleted == [name])
        #expect(changes.created == [name])
        #expect(catalog.entry(of: name, in: "a")?.id == 5)
        #expect(catalog.name(of: 5, in: "a") == name)
        #expect(catalog.name(of: 1, in: "a") == nil)
    }

    @Test func `a late tombstone leaves the successor alone`() {
        var catalog = begun()
        catalog.learn([name: CatalogEntry(id: 5, isEphemeral: false)], in: "a")
        _ = catalog.apply([row(name, 1, version: 2, isDeleted: true)], in: "a")
        #expect(catalog.entry(of: name, in: "a")?.id == 5)
    }

    @Test func `ids do not outlive their incarnation`() {
        var catalog = begun()
        _ = catalog.apply([row(name, 1, version: 4), row(other, 2, version: 5)], in: "a")
        catalog.begin("b")
        #expect(catalog.entry(of: name, in: "b") == nil)
        #expect(catalog.entry(of: name, in: "a") == nil)
        #expect(catalog.version == -1)
        #expect(topics(catalog, TopicPattern(name)) == [name], "until it is read anew")
        let changes = catalog.apply([row(name, 1, version: 4)], in: "b")
        #expect(changes.deleted == [other])
        #expect(changes.created.isEmpty)
    }

    @Test func `a name that belongs to another topic after a lossy failover is new`() {
        var catalog = begun()
        _ = catalog.apply([row(name, 1, version: 4)], in: "a")
        catalog.begin("b")
        let changes = catalog.apply([row(name, 9, version: 4)], in: "b")
        #expect(changes.deleted == [name])
        #expect(changes.created == [name])
    }
}
