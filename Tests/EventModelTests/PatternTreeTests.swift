import EventModel
import Testing

@Suite("A tree of patterns") struct PatternTreeTests {
    private let names = [
        "a", "a.b", "a.b.c", "a.x.c", "x.b.c", "x", "sluice", "sluice.a", "sluice.a.b",
    ]
    private let patterns = [
        "a", "a.b", "*", "a.*", "*.b", "*.b.c", "a.*.c", ">", "a.>", "a.b.>", "*.>", "sluice.>",
        "sluice.*", "*.a",
    ]

    private func tree(_ patterns: some Sequence<String>) throws -> PatternTree<String> {
        var tree = PatternTree<String>()
        for pattern in patterns { tree.insert(pattern, for: try TopicPattern(pattern)) }
        return tree
    }

    private func found(_ tree: PatternTree<String>, _ name: String) throws -> Set<String> {
        var found: Set<String> = []
        tree.forEach(matching: try TopicName(name)) {
            found.insert($0)
            return true
        }
        return found
    }

    @Test func `finds each pattern that matches a name, and no other`() throws {
        let tree = try tree(patterns)
        for name in names {
            let expected = try patterns.filter { try TopicPattern($0).matches(TopicName(name)) }
            #expect(try found(tree, name) == Set(expected), "\(name)")
            #expect(tree.matches(try TopicName(name)) == !expected.isEmpty)
        }
    }

    @Test func `ends at the first when that is enough`() throws {
        let tree = try tree(patterns)
        var count = 0
        tree.forEach(matching: try TopicName("a.b.c")) { _ in
            count += 1
            return false
        }
        #expect(count == 1)
    }

    @Test func `forgets what is taken out, and keeps the others`() throws {
        var tree = try tree(patterns + patterns)
        for pattern in patterns { tree.remove(try TopicPattern(pattern)) { $0 == "a.*" } }
        #expect(try found(tree, "a.b") == ["a.b", "*.b", ">", "a.>", "*.>"])
        #expect(tree.values(of: try TopicPattern("a.b")) == ["a.b", "a.b"])
        #expect(tree.values(of: try TopicPattern("a.b.c.d")).isEmpty)
        for pattern in patterns { tree.remove(try TopicPattern(pattern)) }
        #expect(tree.isEmpty)
    }

    @Test func `of 10,000 patterns costs a name few looks`() throws {
        let many = try tree((0..<10_000).map { "user.\($0).>" })
        let few = try tree(["user.1.>"])
        let name = try TopicName("user.77.created")
        func time(_ tree: PatternTree<String>) -> Duration {
            ContinuousClock().measure { for _ in 0..<2000 { _ = tree.matches(name) } }
        }
        #expect(try found(many, name.text) == ["user.77.>"])
        // Other tests run at the same time, so the best of several counts.
        let ratios = (0..<5).map { _ in time(many) / time(few) }
        #expect((ratios.min() ?? .infinity) < 20)
    }
}
