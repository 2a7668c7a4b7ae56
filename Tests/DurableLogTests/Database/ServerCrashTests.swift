import DurableLog
import EventLogContract
import EventModel
import PostgresCluster
import Testing

/// Each test has a server of its own, which it kills.
@Suite("A log whose server crashes", .serialized) struct ServerCrashTests {
    let cluster = PostgresCluster()

    @Test func `keeps what was acknowledged, once, and tells subscribers all of it in order`()
        async throws
    {
        defer { cluster.stop() }
        let node = try await LogNode(cluster.freshDatabase())
        let topic = try TopicName("crash.load")
        await node.log.append(["0"], to: topic)
        try await node.log.follow([topic], sink: node.sink)
        let publishers = (1...4).map { Publisher("p\($0)", to: topic, of: node) }
        for round in 1...2 {
            try await eventually("published in round \(round)") {
                publishers.allSatisfy { $0.acknowledgedCount >= 40 * round }
            }
            try cluster.killServer()
            try cluster.restart()
            try await eventually("up again") { node.log.isReady }
        }
        try await LoadChecks.check(node, topic, publishers, mayBeUnknown: false)
        let restarts = node.sink.heard.restarts
        #expect(restarts.count == 2)
        #expect(Set(restarts.map(\.position.epoch)).count == 2)
        await node.stop()
    }

    @Test func `begins ephemeral topics anew, and tells it`() async throws {
        defer { cluster.stop() }
        let node = try await LogNode(cluster.freshDatabase())
        let other = try await LogNode(node.conninfo, name: "other")
        let topic = try await node.ephemeral("crash.ephemeral")
        let before = try await node.log.append(["1", "2"], to: topic).get()[0]
        for node in [node, other] { try await node.log.follow([topic], sink: node.sink) }
        try cluster.killServer()
        try cluster.restart()
        try await eventually("up again") { node.log.isReady && other.log.isReady }
        let receipts = try await node.log.append(["3"], to: topic).get()
        #expect(receipts.map(\.first) == [1])
        #expect(receipts[0].epoch != before.epoch)
        for node in [node, other] {
            #expect(await node.sink.wait(for: 1, of: topic))
            #expect(node.sink.heard.offsets(of: topic) == [1])
            #expect(node.sink.heard.epochs[topic] == receipts[0].epoch)
            #expect(node.sink.heard.restarts.map(\.fork) == [0])
        }
        let cursor = Cursor(epoch: before.epoch, offset: 1)
        let resumption = try await node.log.resume([topic: cursor])
        #expect(resumption == [topic: .reset(fork: 0, reason: .restored)])
        await node.stop()
        await other.stop()
    }

    @Test func `refuses appends and reads while the server is away, and is ready after it`()
        async throws
    {
        defer { cluster.stop() }
        let node = try await LogNode(cluster.freshDatabase())
        let topic = try TopicName("crash.away")
        let before = try await node.log.append(["1"], to: topic).get()[0]
        try await node.log.follow([topic], sink: node.sink)
        try cluster.killServer()
        try await eventually("not ready") { !node.log.isReady }
        let refused = await node.log.append(["2"], to: topic)
        #expect(refused.brief == ["database_unavailable"])
        #expect(refused.error?.committed == .no)
        #expect(refused.error?.retryAfter != nil)
        let error = await #expect(throws: BrokerError.self) {
            try await node.log.page(of: topic, after: 0)
        }
        #expect(error?.code == .databaseUnavailable)
        try cluster.restart()
        try await eventually("ready") { node.log.isReady }
        let after = try await node.log.append(["2"], to: topic).get()[0]
        #expect(after.first == 2)
        #expect(after.epoch != before.epoch)
        #expect(await node.sink.wait(for: 1, of: topic))
        #expect(node.sink.heard.offsets(of: topic) == [2])
        let cursor = Cursor(epoch: before.epoch, offset: 1)
        #expect(try await node.log.resume([topic: cursor]) == [topic: .goesOn])
        await node.stop()
    }
}
