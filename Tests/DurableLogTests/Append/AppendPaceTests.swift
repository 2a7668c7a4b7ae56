import DurableLog
import EventLogContract
import EventModel
import Testing

@Suite("When whoever was refused may come again") struct AppendPaceTests {
    @Test func `follows how fast the log takes what waits`() {
        var pace = AppendPace()
        #expect(pace.retryAfter(waiting: 10_000) == .seconds(1))
        pace.committed(500, after: .milliseconds(500))
        #expect(pace.retryAfter(waiting: 10_000) == .seconds(5))
        #expect(pace.retryAfter(waiting: 50) == .milliseconds(100))
        #expect(pace.retryAfter(waiting: 10_000_000) == .seconds(30))
        for _ in 0..<50 { pace.committed(500, after: .milliseconds(50)) }
        let quicker = pace.retryAfter(waiting: 10_000)
        #expect(quicker > .milliseconds(499) && quicker < .milliseconds(510))
    }

    @Test func `is the longer, the longer the database is away`() {
        #expect(AppendPace.retryAfter(awayFor: .milliseconds(10)) == .seconds(1))
        #expect(AppendPace.retryAfter(awayFor: .seconds(20)) == .seconds(10))
        #expect(AppendPace.retryAfter(awayFor: .seconds(3600)) == .seconds(30))
    }

    @Test func `is told with the refusal`() throws {
        let topics = try FlowTopics()
        var fixture = topics.fixture()
        fixture.admit("1", to: topics.a)
        _ = fixture.send()
        fixture.now += .milliseconds(1)
        try fixture.commit()
        let texts = (1...2500).map(String.init)
        fixture.admit(AppendRequest(parts: [.fixture(topics.a, texts)]))
        let more = PendingAppend(AppendRequest(parts: [.fixture(topics.a, ["1"])])) { _ in }
        let limited = fixture.flow.admit(more)
        #expect(limited?.code == .rateLimited)
        #expect(limited?.retryAfter == .milliseconds(1250))

        fixture.flow.wentDown(now: fixture.now)
        fixture.now += .seconds(40)
        fixture.checkDeadlines()
        let away = fixture.flow.admit(more)
        #expect(away?.code == .databaseUnavailable)
        #expect(away?.retryAfter == .seconds(20))
    }
}
