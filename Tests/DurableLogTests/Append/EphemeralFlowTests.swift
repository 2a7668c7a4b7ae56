import DurableLog
import EventLogContract
import EventModel
import PostgresBridge
import Testing

@Suite("Requests to an ephemeral topic") struct EphemeralFlowTests {
    let topics: FlowTopics
    let ephemeral: TopicName

    init() throws {
        topics = try FlowTopics()
        ephemeral = try TopicName("e")
    }

    private func fixture(_ way: AppendWay) -> FlowFixture {
        var fixture = FlowFixture(way)
        fixture.found(topics.a)
        fixture.known[ephemeral] = CatalogEntry(id: 7, isEphemeral: true)
        return fixture
    }

    @Test func `leave the log's queue in their order, once it is known that they are`() {
        var fixture = FlowFixture()
        fixture.found(topics.a)
        fixture.admit("1", to: ephemeral)
        fixture.admit("2", to: topics.a)
        fixture.admit("3", to: ephemeral)
        #expect(fixture.send() == ["2"])
        #expect(fixture.ephemeral.isEmpty)
        fixture.known[ephemeral] = CatalogEntry(id: 7, isEphemeral: true)
        fixture.flow.gaveUp()
        fixture.reply { flow, replies, _ in
            flow.found([self.ephemeral], missing: [], into: &replies)
        }
        _ = fixture.send()
        #expect(fixture.ephemeral == ["1", "3"])
        #expect(fixture.answers.isEmpty)
    }

    @Test func `are refused with a key, a condition, or another topic`() {
        var fixture = fixture(.log)
        fixture.admit(.fixture(ephemeral, ["1"], key: "k"))
        fixture.admit(.fixture(ephemeral, ["2"], head: 0))
        fixture.admit("3", to: topics.a, ephemeral)
        #expect(fixture.send().isEmpty)
        #expect(fixture.answers == ["1", "2", "3"].map { "\($0) ephemeral_topic" })
    }

    @Test func `go out on their own way`() throws {
        var fixture = fixture(.ephemera)
        fixture.admit("1", to: ephemeral)
        fixture.admit("2", to: ephemeral)
        #expect(fixture.send() == ["1", "2"])
        try fixture.commit()
        #expect(fixture.answers == ["1", "2"])
    }

    @Test func `find that their topic is gone, whatever has its name now`() {
        var fixture = fixture(.ephemera)
        fixture.admit("1", to: topics.a)
        #expect(fixture.send().isEmpty)
        #expect(fixture.answers == ["1 topic_not_found"])
    }

    @Test func `have no known outcome when their connection is lost`() {
        var fixture = fixture(.ephemera)
        fixture.admit("1", to: ephemeral)
        #expect(fixture.send() == ["1"])
        fixture.admit("2", to: ephemeral)
        fixture.reply { flow, replies, _ in flow.lostOpen(into: &replies) }
        #expect(fixture.answers == ["1 outcome_unknown"])
        #expect(fixture.send() == ["2"])
    }
}
