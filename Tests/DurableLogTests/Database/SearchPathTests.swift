import DurableLog
import EventLogContract
import EventModel
import PostgresBridge
import PostgresCluster
import Testing

@Suite("A database where others may create functions") struct SearchPathTests {
    /// Each matches a call of the broker's better than the system's function of the name does.
    static let planted = [
        "convert_to(text, text) RETURNS bytea",
        "unnest(int[]) RETURNS SETOF int",
        "set_config(text, text, boolean) RETURNS text",
    ]

    @Test func `runs none of theirs as the broker`() async throws {
        let conninfo = try LogNode.cluster.freshDatabase()
        let stranger = try Session(conninfo)
        for function in Self.planted {
            try stranger.ask(
                """
                CREATE FUNCTION public.\(function) LANGUAGE plpgsql AS
                  $$BEGIN RAISE EXCEPTION 'caught'; END$$
                """)
        }
        // For everybody's connections, as the owner of a database may have set it.
        let name = try stranger.ask("SELECT current_database()").text(0, 0)
        try stranger.ask("ALTER DATABASE \(name) SET search_path = public, pg_catalog")
        let node = try await LogNode(conninfo)
        let topic = try TopicName("planted")
        #expect(await node.log.append(["1"], to: topic).brief == ["1-1"])
        try await node.log.follow([topic], sink: node.sink)
        let now = try #require(try await node.log.allEvents(of: topic).first?.time)
        #expect(try await node.log.offsets(of: [topic], at: now) == [topic: 1])
        await node.stop()
    }
}
