import DurableLog
import EventLogContract
import EventModel
import PostgresCluster
import Testing

@Suite("A condition from before a lossy failover") struct ForkedConditionTests {
    @Test func `does not hold for another event at the same offset`() async throws {
        let node = try await LogNode.withFreshDatabase()
        let topic = try TopicName("condition.lossy")
        let kept = try TopicName("condition.kept")
        let before = try await node.log.append(["1", "2"], to: topic).get()[0]
        let keptBefore = try await node.log.append(["1"], to: kept).get()[0]
        let session = try Session(node.conninfo)
        try session.ask("BEGIN")
        try session.ask(
            "DELETE FROM sluice.events WHERE off = 2 AND topic_id = \(before.epoch.topicID ?? 0)")
        try session.ask("TRUNCATE sluice.marker")
        try session.ask("COMMIT")
        let after = try await node.log.append(["another 2".debugDescription], to: topic).get()[0]
        #expect(after.last == 2)
        var request = AppendRequest.fixture(topic, ["3"], head: 2)
        request.parts[0].expectedEpoch = before.epoch
        let refused = await node.log.append(request)
        #expect(refused.brief == ["head_moved"])
        #expect(refused.error?.head == after.cursor)
        // Where nothing was lost, it holds.
        var sound = AppendRequest.fixture(kept, ["2"], head: 1)
        sound.parts[0].expectedEpoch = keptBefore.epoch
        #expect(await node.log.append(sound).brief == ["2-2"])
        await node.stop()
    }
}

@Suite("A topic's limit on the size of events") struct EventBytesTests {
    @Test func `is heeded from when it was changed`() async throws {
        let node = try await LogNode.withFreshDatabase()
        let topic = try TopicName("condition.bytes")
        let epoch = try await node.log.append(["123456"], to: topic).get()[0].epoch
        let id = try #require(epoch.topicID)
        try Session(node.conninfo).ask(#"SELECT sluice.alter_topic(\#(id), '{"event_bytes":5}')"#)
        try await eventually("heeded") {
            await node.log.append(["123456"], to: topic).brief == ["event_too_large"]
        }
        #expect(await node.log.append(["12345"], to: topic).error == nil)
        await node.stop()
    }
}
