import DurableLog
import EventLogContract
import EventModel
import PostgresCluster
import Testing

@Suite("Appends of one turn of a loop") struct LaterAppendTests {
    @Test func `are answered in order after one wake, of durable and of ephemeral topics`()
        async throws
    {
        let node = try await LogNode.withFreshDatabase()
        let durable = try TopicName("durable")
        _ = try await node.log.create(durable, settings: TopicSettings())
        let ephemeral = try await node.ephemeral("fast.later")
        for topic in [durable, ephemeral] {
            let order = AnswerOrder()
            for text in ["1", "2", "3"] { order.appendLater(text, to: topic, of: node) }
            node.log.wakeAppends()
            try await order.wait(for: 3)
            #expect(order.answers == ["1 1-1", "2 2-2", "3 3-3"])
        }
        #expect(try await node.texts(of: durable) == ["1", "2", "3"])
        await node.stop()
    }

    @Test func `are not sent to a server that hung up, so it is known that none is stored`()
        async throws
    {
        let cluster = PostgresCluster()
        defer { cluster.stop() }
        let node = try await LogNode(cluster.freshDatabase())
        let topic = try TopicName("away")
        _ = try await node.log.create(topic, settings: TopicSettings())
        await node.log.append(["1"], to: topic)
        // Meanwhile the append thread falls asleep.
        _ = try await node.log.create(TopicName("another"), settings: TopicSettings())
        let order = AnswerOrder()
        order.appendLater("2", to: topic, of: node)
        // Which wakes the log instead.
        try cluster.killServer()
        try await order.wait(for: 1)
        #expect(order.answers == ["2 database_unavailable"])
        await node.stop()
    }
}
