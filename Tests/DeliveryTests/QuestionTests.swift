import AccessControl
import EventModel
import Testing

@testable import Delivery

@Suite("A subscription's question") struct QuestionTests {
    private func question(_ patterns: String..., cursors: String...) throws
        -> StartOperation.Question
    {
        let cursor = try #require(Cursor("e-1"))
        return try StartOperation.Question(
            patterns: patterns.map { try TopicPattern($0) }, from: .latest,
            cursors: Dictionary(
                uniqueKeysWithValues: cursors.map { (try TopicName($0), cursor) }),
            by: Permission(of: nil))
    }

    @Test func `is left whole for who may have all of it`() throws {
        let question = try question("a.*", "b", cursors: "a.x", "b")
        #expect(question.patterns.map(\.text) == ["a.*", "b"])
        #expect(question.cursors.count == 2)
    }

    @Test func `is narrowed to what its sender may have, cursors too`() throws {
        var question = try question("a.>", "b", "c.*", cursors: "a.x", "b", "c.x", "c.y")
        let fewer = try TopicPattern("c.x")
        try question.narrow { pattern in
            switch pattern.text {
            case "b": .none
            case "c.*": .narrowed([fewer])
            default: .all
            }
        }
        #expect(question.patterns.map(\.text) == ["a.>", "c.x"])
        #expect(question.cursors.keys.map(\.text).sorted() == ["a.x", "c.x"])
    }

    @Test func `has each pattern once, and names nothing that is left of one`() throws {
        var question = try question("a.>", "a.b", "b.*", cursors: "a.b", "b.c", "c")
        let (one, other) = (try TopicPattern("a.b"), try TopicPattern("b.c"))
        try question.narrow { pattern in
            switch pattern.text {
            case "a.>": .narrowed([one])
            case "b.*": .narrowed([other, one])
            default: .all
            }
        }
        #expect(question.patterns.map(\.text) == ["a.b", "b.c"])
        #expect(question.named.map(\.text) == ["a.b"])
        #expect(question.isNarrowed)
        #expect(question.cursors.keys.map(\.text).sorted() == ["a.b", "b.c"])
        question.from = .earliest
        let position = TopicPosition(
            topic: try TopicName("b.c"), epoch: Epoch(incarnation: "memory0001", topicID: 1),
            earliest: 1, latest: 0, isEphemeral: true)
        #expect(throws: Never.self) { try question.check([position]) }
    }

    @Test func `is refused when too much is left`() throws {
        var question = try question("a.>", "b.>")
        let many = try (0..<600).map { try TopicPattern("t\($0)") }
        let more = try (600..<1_200).map { try TopicPattern("t\($0)") }
        let error = #expect(throws: BrokerError.self) {
            try question.narrow { $0.text == "a.>" ? .narrowed(many) : .narrowed(more) }
        }
        #expect(error?.code == .subscriptionLimit)
    }

    @Test(arguments: ["earliest", "last:3", "offset:1", "time:2026-01-01T00:00:00Z", "ago:15m"])
    func `may not begin in the log of a topic that it names and that has none`(
        start: String
    ) throws {
        var question = try question("a", "b.*")
        question.from = try StartPosition(start)
        let epoch = Epoch(incarnation: "memory0001", topicID: 1)
        func position(_ name: String) throws -> TopicPosition {
            TopicPosition(
                topic: try TopicName(name), epoch: epoch, earliest: 1, latest: 0, isEphemeral: true)
        }
        try question.check([try position("b.c")])
        let error = #expect(throws: BrokerError.self) {
            try question.check([try position("b.c"), try position("a")])
        }
        #expect(error?.code == .ephemeralTopic)
    }

    @Test func `is refused when nothing is left`() throws {
        var question = try question("a", "b")
        let error = #expect(throws: BrokerError.self) { try question.narrow { _ in .none } }
        #expect(error?.code == .forbidden)
    }
}
