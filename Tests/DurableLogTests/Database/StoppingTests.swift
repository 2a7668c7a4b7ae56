import DurableLog
import EventLogContract
import EventModel
import PostgresBridge
import PostgresCluster
import Testing

@Suite("A log that is told to stop") struct StoppingTests {
    @Test(.timeLimit(.minutes(1)))
    func `does not wait for a batch that cannot be settled longer than for an outcome`()
        async throws
    {
        var limits = Limits()
        limits.outcomeTimeout = .seconds(1)
        let node = try await LogNode.withFreshDatabase(limits: limits)
        let topic = try TopicName("stopping.open")
        await node.log.append(["1"], to: topic)
        let session = try Session(node.conninfo)
        try await session.slow(topic, of: node, seconds: 30)
        async let unknown = node.log.append(["2"], to: topic)
        try await eventually("appending") { try session.appendWaits(for: "PgSleep") }
        // As by a server process that outlives its connection: it may commit the batch yet.
        try session.ask("BEGIN")
        try session.ask(
            """
            INSERT INTO sluice.batches(writer, seq, at)
            SELECT writer, max(seq) + 1, now() FROM sluice.batches WHERE writer <> 0 GROUP BY writer
            """)
        #expect(try Session(node.conninfo).terminate("node append") == 1)
        let began = ContinuousClock.now
        await node.stop()
        #expect(ContinuousClock.now - began < .seconds(5))
        #expect(await unknown.brief == ["outcome_unknown"])
    }

    @Test(.timeLimit(.minutes(1)))
    func `does not wait for a step of housekeeping`() async throws {
        let node = try await LogNode.withFreshDatabase()
        let session = try Session(node.conninfo)
        try session.ask(
            """
            CREATE FUNCTION sluice.nap() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN PERFORM pg_sleep(20); RETURN OLD; END'
            """)
        try session.ask(
            """
            CREATE TRIGGER nap BEFORE DELETE ON sluice.outbox FOR EACH ROW
            EXECUTE FUNCTION sluice.nap()
            """)
        try session.ask("SELECT sluice.publish('stopping.kept', '1'::json)")
        try await eventually("draining") {
            try session.ask(
                """
                SELECT FROM pg_stat_activity WHERE application_name = 'node housekeeper'
                  AND datname = current_database() AND wait_event = 'PgSleep'
                """
            ).rowCount == 1
        }
        let began = ContinuousClock.now
        await node.stop()
        #expect(ContinuousClock.now - began < .seconds(3))
        // Nothing is lost: the next node does it.
        try session.ask("DROP TRIGGER nap ON sluice.outbox")
        let next = try await LogNode(node.conninfo)
        try await eventually("drained") {
            try session.ask("SELECT FROM sluice.outbox").rowCount == 0
        }
        #expect(try await next.texts(of: TopicName("stopping.kept")) == ["1"])
        await next.stop()
    }
}
