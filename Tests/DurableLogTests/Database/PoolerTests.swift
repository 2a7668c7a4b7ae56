import DurableLog
import EventLogContract
import EventModel
import PostgresBridge
import PostgresCluster
import Testing

@Suite("A log behind a pooler") struct PoolerTests {
    @Test(arguments: ["57P01", "08006"])
    func `that lost the server after a commit appends nothing twice`(_ sqlState: String)
        async throws
    {
        let proxy = try TamperingProxy(before: LogNode.cluster.freshDatabase())
        let node = try await LogNode(proxy.conninfo)
        let topic = try TopicName("pooler.lost")
        await node.log.append(["1"], to: topic)
        proxy.lie(sqlState)
        #expect(await node.log.append(["2"], to: topic).brief == ["2-2"])
        #expect(await node.log.append(["3"], to: topic).brief == ["3-3"])
        #expect(try await node.texts(of: topic) == ["1", "2", "3"])
        await node.stop()
    }

    @Test(.timeLimit(.minutes(1)))
    func `that answers nobody any more keeps no publisher waiting, nor the end`() async throws {
        let proxy = try TamperingProxy(before: LogNode.cluster.freshDatabase())
        var limits = Limits()
        limits.outcomeTimeout = .milliseconds(500)
        let node = try await LogNode(proxy.conninfo, limits: limits)
        let topic = try TopicName("pooler.silent")
        await node.log.append(["1"], to: topic)
        let session = try Session(node.conninfo)
        try await session.slow(topic, of: node, seconds: 1)
        let began = ContinuousClock.now
        async let unknown = node.log.append(["2"], to: topic)
        try await eventually("appending") { try session.appendWaits(for: "PgSleep") }
        proxy.freeze()
        #expect(await unknown.brief == ["outcome_unknown"])
        #expect(ContinuousClock.now - began < .seconds(2))
        let stopping = ContinuousClock.now
        await node.stop()
        #expect(ContinuousClock.now - stopping < .seconds(2))
    }
}
