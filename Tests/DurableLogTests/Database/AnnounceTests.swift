import DurableLog
import EventLogContract
import EventModel
import PostgresBridge
import PostgresCluster
import Testing

@Suite("An announce that somebody made up") struct AnnounceTests {
    /// A node that follows one topic with one event.
    struct Followed {
        let node: LogNode
        let topic: TopicName
        let id: Int32
        let incarnation: String
        let session: Session

        init(_ name: String) async throws {
            node = try await LogNode.withFreshDatabase()
            topic = try TopicName(name)
            let epoch = try await node.log.append(["1"], to: topic).get()[0].epoch
            id = try #require(epoch.topicID)
            incarnation = epoch.incarnation
            session = try Session(node.conninfo)
            try await node.log.follow([topic], sink: node.sink)
        }

        func announce(_ rest: String) throws {
            try session.ask("SELECT pg_notify('sluice_announce', '\(incarnation) \(rest)')")
        }

        /// Returns when the follower has heard everything that was announced before and has read
        /// the journal since: a new topic is told after both.
        func catchUp(_ name: String) async throws {
            let topic = try TopicName(name)
            try session.ask("SELECT sluice.create_topics('{\(name)}')")
            #expect(await node.sink.wait { $0.created.contains(topic) })
        }

        /// As another node appends, but without an announce.
        func appendSilently(_ text: String, writer: Int64, seq: Int64) throws {
            try session.ask(
                """
                SELECT sluice.append('\(incarnation)', \(writer), \(seq), '{\(id)}', '{1}', '{1}',
                  '{1}', '{\(text.utf8.count)}', ARRAY['\(text)'::json])
                """)
        }
    }

    @Test(arguments: ["1 -9223372036854775808", "-9223372036854775808 1", "1 9223372036854775807"])
    func `with an impossible number is ignored`(_ numbers: String) async throws {
        let followed = try await Followed("announce.impossible")
        try followed.announce(numbers)
        try followed.announce("\(numbers) \(followed.id):9223372036854775807")
        try followed.appendSilently("2", writer: 1, seq: 1)
        #expect(await followed.node.sink.wait(for: 1, of: followed.topic))
        await followed.node.stop()
    }

    @Test func `of a head that is not there costs one read`() async throws {
        let followed = try await Followed("announce.head")
        try followed.announce("1 1 \(followed.id):999999999")
        try await followed.catchUp("announce.head.heard")
        // It polls each second, and reads nothing in between.
        let conninfo = followed.node.conninfo
        try await eventually("at rest") {
            try Session(conninfo).ask(
                """
                SELECT FROM pg_stat_activity
                WHERE application_name = 'node follower' AND datname = current_database()
                  AND state = 'idle' AND clock_timestamp() - state_change > interval '300 ms'
                """
            ).rowCount == 1
        }
        try followed.appendSilently("2", writer: 1, seq: 1)
        #expect(await followed.node.sink.wait(for: 1, of: followed.topic))
        #expect(followed.node.sink.heard.offsets(of: followed.topic) == [2])
        await followed.node.stop()
    }

    @Test func `of a batch does not hide the batch`() async throws {
        let followed = try await Followed("announce.seq")
        try followed.appendSilently("2", writer: 7, seq: 1)
        try await followed.catchUp("announce.seq.known")
        try followed.announce("7 2")
        try await followed.catchUp("announce.seq.heard")
        try followed.appendSilently("3", writer: 7, seq: 2)
        // The next reading of the journal shows it; the heads are read each minute only.
        #expect(await followed.node.sink.wait(for: 2, of: followed.topic, timeout: .seconds(20)))
        await followed.node.stop()
    }
}
