import RepeatableChance
import EventModel
import Testing

@Suite("A topic pattern") struct TopicPatternTests {
    @Test(arguments: [
        ("orders.eu", "orders.eu", true), ("orders.eu", "orders", false),
        ("orders.*", "orders.eu", true), ("orders.*", "orders", false),
        ("orders.*", "orders.eu.x", false), ("*.eu", "orders.eu", true),
        ("orders.>", "orders.eu", true), ("orders.>", "orders.eu.created", true),
        ("orders.>", "orders", false), (">", "a", true), (">", "a.b", true), ("*", "a", true),
        ("*", "a.b", false), ("a.*.c", "a.b.c", true), ("a.*.c", "a.b.d", false),
        ("a.*.>", "a.b", false), ("a.*.>", "a.b.c", true), ("Orders", "orders", false),
    ])
    func `matches what its wildcards stand for`(pattern: String, name: String, matches: Bool) throws
    {
        #expect(try TopicPattern(pattern).matches(TopicName(name)) == matches)
    }

    @Test(arguments: [
        (">", "sluice.node", false), ("*.node", "sluice.node", false),
        ("sluice.>", "sluice.node", true),
        ("sluice.*", "sluice.node", true), ("sluice.node", "sluice.node", true),
        (">", "sluice", true),
        ("*", "sluice", true),
    ])
    func `matches reserved topics only by the literal first segment`(
        pattern: String, name: String, matches: Bool
    ) throws {
        #expect(try TopicPattern(pattern).matches(TopicName(name)) == matches)
    }

    @Test(arguments: ["", "a.>.b", ">.a", "a*", "a.b>", "**", "a.", "a..>", "a.?"])
    func `of another form is refused`(text: String) {
        let error = #expect(throws: BrokerError.self) { try TopicPattern(text) }
        #expect(error?.code == .invalidPattern)
    }

    @Test func `without wildcards has an exact name`() throws {
        #expect(try TopicPattern("a.b").exactName == TopicName("a.b"))
        #expect(try TopicPattern(TopicName("a.b")) == TopicPattern("a.b"))
        #expect(try TopicPattern("a.*").exactName == nil)
        #expect(try TopicPattern(">").exactName == nil)
    }

    @Test(arguments: [
        ("a.*", "*.b", true), ("a", "a", true), ("a", "b", false), ("a.>", "a", false),
        ("a.>", "a.b.c", true), ("a.>", "b.>", false), (">", "a", true), ("a.*", "a.*.c", false),
        ("a.*.c", "a.>", true), (">", "sluice.>", false), ("*.x", "sluice.x", false),
        ("sluice.*", "sluice.>", true), (">", "sluice", true), ("*.x", "sluice.*", false),
    ])
    func `overlaps another when a topic could match both`(
        one: String, other: String, overlaps: Bool
    ) throws {
        #expect(try TopicPattern(one).overlaps(TopicPattern(other)) == overlaps)
        #expect(try TopicPattern(other).overlaps(TopicPattern(one)) == overlaps)
    }

    @Test func `overlaps exactly those with a common match, at random`() throws {
        let topics = try witnesses()
        var generator = SeededGenerator()
        for _ in 0..<600 {
            let one = try randomPattern(&generator)
            let other = try randomPattern(&generator)
            let witness = topics.first { one.matches($0) && other.matches($0) }
            #expect(
                one.overlaps(other) == (witness != nil),
                "\(one) and \(other), witness \(witness?.text ?? "none"), seed \(generator.seed)")
        }
    }

    @Test(
        arguments: [
            ("orders.>", "*.public.>", "orders.public.>"), ("a.*", "*.b", "a.b"),
            (">", "a.*", "a.*"), ("a.b", "a.>", "a.b"), ("a.>", "a", nil), ("a.*", "a.*.>", nil),
            ("a.>", "a.*.>", "a.*.>"), ("a.b", "a.c", nil), (">", "sluice.>", nil),
            ("*.a", "sluice.a", nil), ("sluice.*", "sluice.>", "sluice.*"), ("*.>", ">", "*.>"),
        ] as [(String, String, String?)])
    func `has in common with another what both match`(
        one: String, other: String, expected: String?
    ) throws {
        #expect(try TopicPattern(one).intersection(TopicPattern(other))?.text == expected)
        #expect(try TopicPattern(other).intersection(TopicPattern(one))?.text == expected)
    }

    @Test func `has in common with another what both match, at random`() throws {
        let topics = try witnesses()
        var generator = SeededGenerator()
        for _ in 0..<600 {
            let one = try randomPattern(&generator)
            let other = try randomPattern(&generator)
            let common = one.intersection(other)
            let covers = one.covers(other)
            let comment: Comment = "\(one) and \(other), seed \(generator.seed)"
            for topic in topics {
                let isBoth = one.matches(topic) && other.matches(topic)
                #expect(isBoth == (common?.matches(topic) ?? false), comment)
                if covers { #expect(!other.matches(topic) || one.matches(topic), comment) }
            }
        }
    }

    private let words = ["a", "b", "sluice"]

    /// Three literals and up to three segments: names of up to four segments are witnesses enough.
    private func witnesses() throws -> [TopicName] {
        var names = words
        var level = words
        for _ in 0..<3 {
            level = level.flatMap { name in words.map { "\(name).\($0)" } }
            names += level
        }
        return try names.map { try TopicName($0) }
    }

    private func randomPattern(_ generator: inout SeededGenerator) throws -> TopicPattern {
        let count = Int.random(in: 1...3, using: &generator)
        var segments = (0..<count).map { _ in
            Bool.random(using: &generator) ? words.randomElement(using: &generator) ?? "a" : "*"
        }
        if Int.random(in: 0..<3, using: &generator) == 0 { segments[count - 1] = ">" }
        return try TopicPattern(segments.joined(separator: "."))
    }
}
