import DurableLog
import EventLogContract
import EventModel
import Testing

@Suite("Requests to a topic that is not known yet") struct UnknownTopicTests {
    let topics: FlowTopics

    init() throws { topics = try FlowTopics() }

    @Test func `wait in their line, and nobody else does`() throws {
        var fixture = topics.fixture()
        fixture.admit("1", to: topics.new)
        fixture.admit("2", to: topics.a)
        fixture.admit("3", to: topics.new)
        #expect(fixture.send() == ["2"])
        #expect(fixture.flow.takeQuestions().create == [topics.new])
        try fixture.commit()
        fixture.admit("4", to: topics.a)
        #expect(fixture.send() == ["4"])
        // It is asked once.
        #expect(fixture.flow.takeQuestions().isEmpty)
        try fixture.commit()
        fixture.found(topics.new)
        #expect(fixture.send() == ["1", "3"])
        #expect(fixture.answers == ["2", "4"])
    }

    @Test func `hold up what stands behind them in another line`() {
        var fixture = topics.fixture()
        fixture.admit("1", to: topics.a, topics.new)
        fixture.admit("2", to: topics.a)
        fixture.admit("3", to: topics.b)
        #expect(fixture.send() == ["3"])
        fixture.found(topics.new)
        fixture.flow.gaveUp()
        #expect(Set(fixture.send()) == ["1", "2", "3"])
    }

    @Test func `are refused where it may not be created, if they had come before the question`() {
        var fixture = topics.fixture()
        fixture.admit("1", to: topics.new, creates: false)
        #expect(fixture.send().isEmpty)
        #expect(fixture.flow.takeQuestions().find == [topics.new])
        fixture.admit("2", to: topics.new, creates: false)
        fixture.found(topics.new, missing: [topics.new])
        #expect(fixture.answers == ["1 topic_not_found"])
        // Somebody may have created it in between.
        #expect(fixture.send().isEmpty)
        #expect(fixture.flow.takeQuestions().find == [topics.new])
    }

    @Test func `let those behind them create it that may`() {
        var fixture = topics.fixture()
        fixture.admit("1", to: topics.new, creates: false)
        fixture.admit("2", to: topics.new)
        #expect(fixture.send().isEmpty)
        fixture.found(topics.new, missing: [topics.new])
        #expect(fixture.answers == ["1 topic_not_found"])
        _ = fixture.flow.takeQuestions()
        #expect(fixture.send().isEmpty)
        #expect(fixture.flow.takeQuestions().create == [topics.new])
        fixture.found(topics.new)
        #expect(fixture.send() == ["2"])
    }

    @Test func `are refused when it cannot be created, and the next ones ask again`() {
        var fixture = topics.fixture()
        fixture.admit("1", to: topics.new)
        fixture.admit("2", to: topics.new, topics.a)
        #expect(fixture.send().isEmpty)
        fixture.reply { [topics] flow, replies, _ in
            let error = BrokerError(.databaseUnavailable, "The catalog is locked.")
            flow.failed([topics.new], error, into: &replies)
        }
        #expect(fixture.answers == ["1 database_unavailable", "2 database_unavailable"])
        _ = fixture.flow.takeQuestions()
        fixture.admit("3", to: topics.new)
        fixture.admit("4", to: topics.a)
        #expect(fixture.send() == ["4"])
        #expect(fixture.flow.takeQuestions().create == [topics.new])
    }

    @Test func `are never created by a log that creates none`() {
        var fixture = topics.fixture(createsTopics: false)
        fixture.admit("1", to: topics.new)
        #expect(fixture.send().isEmpty)
        #expect(fixture.flow.takeQuestions().find == [topics.new])
        fixture.found(topics.new, missing: [topics.new])
        #expect(fixture.answers == ["1 topic_not_found"])
    }
}

@Suite("A batch that waited for a lock in vain") struct LockedTopicTests {
    let topics: FlowTopics

    init() throws { topics = try FlowTopics() }

    /// `1` to `a` and `2` to `b` were sent, and somebody holds a lock.
    func blocked() -> FlowFixture {
        var fixture = topics.fixture()
        fixture.admit("1", to: topics.a)
        fixture.admit("2", to: topics.b)
        #expect(fixture.send() == ["1", "2"])
        fixture.now += .milliseconds(250)
        fixture.refuse("55P03")
        #expect(fixture.send().isEmpty)
        #expect(fixture.flow.takeQuestions().locks == [topics.a, topics.b])
        return fixture
    }

    @Test func `goes on with the topics that are free`() throws {
        var fixture = blocked()
        fixture.probed(topics.a, topics.b, locked: [topics.a])
        #expect(fixture.send() == ["2"])
        try fixture.commit()
        fixture.admit("3", to: topics.a)
        fixture.admit("4", to: topics.b)
        #expect(fixture.send() == ["4"])
        try fixture.commit()
        #expect(fixture.answers == ["2", "4"])
        fixture.now += .milliseconds(100)
        #expect(fixture.send().isEmpty)
        #expect(fixture.flow.takeQuestions().locks == [topics.a])
        fixture.probed(topics.a, locked: [])
        #expect(fixture.send() == ["1", "3"])
    }

    @Test func `is refused as far as a topic has been locked for a second`() throws {
        var fixture = blocked()
        fixture.probed(topics.a, topics.b, locked: [topics.a])
        #expect(fixture.send() == ["2"])
        try fixture.commit()
        fixture.now += .milliseconds(800)
        #expect(fixture.send().isEmpty)
        fixture.admit("3", to: topics.a)
        fixture.probed(topics.a, locked: [topics.a])
        // 3 came behind the question, so it is for the next.
        #expect(fixture.answers == ["2", "1 database_unavailable"])
        fixture.now += .milliseconds(100)
        #expect(fixture.send().isEmpty)
        fixture.probed(topics.a, locked: [topics.a])
        #expect(fixture.answers == ["2", "1 database_unavailable", "3 database_unavailable"])
    }

    @Test func `keeps the order behind a request for a locked topic and another`() throws {
        var fixture = topics.fixture()
        fixture.admit("1", to: topics.a, topics.b)
        fixture.admit("2", to: topics.b)
        #expect(fixture.send() == ["1", "2"])
        fixture.refuse("55P03")
        #expect(fixture.send().isEmpty)
        fixture.probed(topics.a, topics.b, locked: [topics.a])
        #expect(fixture.send().isEmpty)
        fixture.now += .milliseconds(100)
        #expect(fixture.send().isEmpty)
        fixture.probed(topics.a, locked: [])
        #expect(fixture.send() == ["1"])
        try fixture.commit()
        #expect(fixture.send() == ["2"])
    }

    @Test func `is refused after a second, too, when nobody is seen to hold the lock`() {
        var fixture = topics.fixture()
        fixture.admit("1", to: topics.a)
        for _ in 1...4 {
            #expect(fixture.answers.isEmpty)
            #expect(fixture.send() == ["1"])
            fixture.now += .milliseconds(250)
            fixture.refuse("55P03")
            #expect(fixture.send().isEmpty)
            fixture.probed(topics.a, locked: [])
        }
        #expect(fixture.answers == ["1 database_unavailable"])
        #expect(fixture.send().isEmpty)
    }
}
