import DurableLog
import EventLogContract
import EventModel
import Testing

@Suite("A batch that PostgreSQL refuses") struct RefusedBatchTests {
    let topics: FlowTopics

    init() throws { topics = try FlowTopics() }

    @Test func `is halved until the request that is to blame stands alone`() throws {
        var fixture = topics.fixture()
        for text in ["1", "2", "bad", "4"] { fixture.admit(text, to: topics.a) }
        #expect(fixture.send() == ["1", "2", "bad", "4"])
        fixture.refuse("22P02")
        #expect(fixture.send() == ["1", "2"])
        try fixture.commit()
        #expect(fixture.send() == ["bad", "4"])
        fixture.refuse("22P02")
        #expect(fixture.send() == ["bad"])
        fixture.refuse("22P02")
        #expect(fixture.send() == ["4"])
        try fixture.commit()
        #expect(fixture.answers == ["1", "2", "bad invalid_json", "4"])
    }

    @Test func `is tried three times when others get in its way`() {
        var fixture = topics.fixture()
        fixture.admit("1", to: topics.a)
        for _ in 1...3 {
            #expect(fixture.answers.isEmpty)
            #expect(fixture.send() == ["1"])
            fixture.refuse("40001")
        }
        #expect(fixture.answers == ["1 database_unavailable"])
    }

    @Test func `goes first on the next connection when this one is of no use`() {
        var fixture = topics.fixture()
        fixture.admit("1", to: topics.a)
        _ = fixture.send()
        fixture.admit("2", to: topics.a)
        fixture.refuse("25006")
        #expect(fixture.answers.isEmpty)
        #expect(fixture.send() == ["1", "2"])
    }
}

@Suite("A batch whose outcome is not known") struct OpenBatchTests {
    let topics: FlowTopics

    init() throws { topics = try FlowTopics() }

    @Test func `is answered so in time, and what waits is refused until it is settled`() throws {
        var fixture = topics.fixture()
        fixture.admit("1", to: topics.a)
        _ = fixture.send()
        fixture.admit("2", to: topics.b)
        fixture.now += .milliseconds(9999)
        fixture.checkDeadlines()
        #expect(fixture.answers.isEmpty)
        fixture.now += .milliseconds(1)
        fixture.checkDeadlines()
        #expect(fixture.answers == ["1 outcome_unknown", "2 database_unavailable"])
        #expect(!fixture.flow.isUp)
        fixture.flow.gaveUp()
        #expect(fixture.flow.isUp)
        #expect(fixture.send().isEmpty)
    }

    @Test func `goes before what came behind it when it was given up`() {
        var fixture = topics.fixture()
        fixture.admit("1", to: topics.a)
        fixture.admit("2", to: topics.a)
        _ = fixture.send()
        fixture.admit("3", to: topics.a)
        fixture.flow.gaveUp()
        #expect(fixture.send() == ["1", "2", "3"])
    }

    @Test func `is all that a node waits for that shuts down, and not longer than it may`() {
        var fixture = topics.fixture()
        fixture.admit("1", to: topics.a)
        _ = fixture.send()
        fixture.flow.isDraining = true
        #expect(!fixture.flow.isDone)
        fixture.now += .seconds(10)
        fixture.checkDeadlines()
        #expect(fixture.flow.isDone)
    }

    @Test func `leaves those that wait a second when the connection is lost`() {
        var fixture = topics.fixture()
        fixture.flow.wentDown(now: fixture.now)
        fixture.admit("1", to: topics.a)
        fixture.checkDeadlines()
        #expect(fixture.answers.isEmpty)
        fixture.now += .seconds(1)
        fixture.checkDeadlines()
        #expect(fixture.answers == ["1 database_unavailable"])
    }
}

@Suite("A request with a condition") struct ConditionTests {
    let topics: FlowTopics

    init() throws { topics = try FlowTopics() }

    func request(_ epoch: Epoch) -> AppendRequest {
        var request = AppendRequest.fixture(topics.a, ["1"], head: 7)
        request.parts[0].expectedEpoch = epoch
        return request
    }

    @Test func `of this incarnation is appended without a question`() {
        var fixture = topics.fixture()
        let id = fixture.known[topics.a]?.id ?? 0
        fixture.admit(request(Epoch(incarnation: FlowFixture.incarnation, topicID: id)))
        #expect(fixture.send() == ["1"])
        #expect(fixture.flow.takeQuestions().isEmpty)
    }

    @Test func `of another one waits until its cursor is known to hold`() throws {
        var fixture = topics.fixture()
        let epoch = Epoch(incarnation: "incarnate0", topicID: 1)
        fixture.admit(request(epoch))
        fixture.admit("2", to: topics.a)
        fixture.admit("3", to: topics.b)
        #expect(fixture.send() == ["3"])
        let conditions = fixture.flow.takeQuestions().conditions
        #expect(conditions.map(\.heads) == [[topics.a: Cursor(epoch: epoch, offset: 7)]])
        try fixture.commit()
        let condition = try #require(conditions.first)
        fixture.reply { flow, replies, _ in
            flow.checked(condition, in: FlowFixture.incarnation, nil, into: &replies)
        }
        #expect(fixture.send() == ["1", "2"])
        #expect(fixture.flow.open?.batch.guards.map(\.head) == [7])
    }

    @Test func `whose cursor does not hold is refused, and holds up nobody`() throws {
        var fixture = topics.fixture()
        fixture.admit(request(Epoch(incarnation: "incarnate0", topicID: 1)))
        fixture.admit("2", to: topics.a)
        #expect(fixture.send().isEmpty)
        let condition = try #require(fixture.flow.takeQuestions().conditions.first)
        fixture.reply { flow, replies, _ in
            flow.checked(
                condition, in: FlowFixture.incarnation, BrokerError(.headMoved, "It moved."),
                into: &replies)
        }
        #expect(fixture.answers == ["1 head_moved"])
        #expect(fixture.send() == ["2"])
    }

    @Test func `is checked anew when its batch was given up for another incarnation`() throws {
        var fixture = topics.fixture()
        let id = fixture.known[topics.a]?.id ?? 0
        fixture.admit(request(Epoch(incarnation: FlowFixture.incarnation, topicID: id)))
        #expect(fixture.send() == ["1"])
        fixture.flow.gaveUp()
        let known = fixture.known
        let taken = fixture.reply { flow, replies, now in
            flow.take(in: "incarnate2", now: now, into: &replies) { known[$0] }
        }
        #expect(taken.requests.isEmpty)
        #expect(fixture.flow.takeQuestions().conditions.count == 1)
    }
}

@Suite("An event over its topic's limit") struct LargeEventTests {
    let topics: FlowTopics

    init() throws { topics = try FlowTopics() }

    @Test func `is refused before anything is sent, and holds up nobody`() {
        var fixture = topics.fixture()
        fixture.known[topics.a] = CatalogEntry(id: 9, isEphemeral: false, eventBytesMax: 3)
        fixture.admit("123", to: topics.a)
        fixture.admit("1234", to: topics.a)
        fixture.admit("5678", to: topics.b)
        #expect(Set(fixture.send()) == ["123", "5678"])
        #expect(fixture.answers == ["1234 event_too_large"])
    }
}
