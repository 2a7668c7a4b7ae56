import DurableLog
import EventLogContract
import EventModel
import Testing

@Suite("A batch that is formed while another is open") struct PreparedBatchTests {
    let topics: FlowTopics

    init() throws { topics = try FlowTopics() }

    @Test func `is formed once a full one waits, and goes next`() throws {
        var fixture = topics.fixture()
        fixture.admit("1", to: topics.a)
        #expect(fixture.send() == ["1"])
        fixture.admit("2", to: topics.b)
        #expect(fixture.prepare().isEmpty)
        fixture.admitFull("3", to: topics.a)
        #expect(fixture.prepare() == ["2"])
        #expect(fixture.prepare().isEmpty)
        fixture.admit("4", to: topics.b)
        try fixture.commit()
        #expect(fixture.send() == ["2"])
        #expect(fixture.prepare() == ["3"])
        try fixture.commit()
        #expect(fixture.send() == ["3"])
        try fixture.commit()
        #expect(fixture.send() == ["4"])
        #expect(fixture.answers == ["1", "2", "3"])
    }

    @Test func `goes behind the open one's requests when that is refused`() throws {
        var fixture = topics.fixture()
        fixture.admit("1", to: topics.a)
        _ = fixture.send()
        fixture.admitFull("2", to: topics.a)
        #expect(fixture.prepare() == ["2"])
        fixture.refuse("40001")
        #expect(fixture.send() == ["1"])
        #expect(fixture.prepare() == ["2"])
        fixture.refuse("22P02")
        #expect(fixture.answers == ["1 invalid_json"])
        #expect(fixture.send() == ["2"])
    }

    @Test func `goes behind the open one's requests when the connection is lost`() {
        var fixture = topics.fixture()
        fixture.admit("1", to: topics.a)
        _ = fixture.send()
        fixture.admitFull("2", to: topics.a)
        #expect(fixture.prepare() == ["2"])
        fixture.flow.wentDown(now: fixture.now)
        fixture.flow.gaveUp()
        fixture.flow.goUp()
        #expect(fixture.send() == ["1"])
    }

    @Test func `waits with the others when the outcome of the open one is not known`() {
        var fixture = topics.fixture()
        fixture.admit("1", to: topics.a)
        _ = fixture.send()
        fixture.admitFull("2", to: topics.a)
        #expect(fixture.prepare() == ["2"])
        fixture.flow.isDraining = true
        fixture.now += .seconds(10)
        fixture.checkDeadlines()
        #expect(fixture.answers == ["1 outcome_unknown", "2 database_unavailable"])
        #expect(fixture.flow.isDone)
    }
}
