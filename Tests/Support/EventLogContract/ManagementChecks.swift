import EventModel
import Testing

extension EventLogContract {
    static let managementChecks = [
        EventLogContract("alters what a change names, and leaves the rest") { log, _ in
            let topic = try TopicName("contract.alter")
            var settings = TopicSettings()
            settings.retainAge = .limited(.seconds(3600))
            settings.retainBytes = .limited(5)
            settings.description = "for \"tests\""
            let created = try await log.create(topic, settings: settings)
            var changes = TopicChanges()
            changes.retainCount = .limited(7)
            changes.retainBytes = .unlimited
            changes.eventBytesMax = 5000
            changes.overflow = .conflate
            let altered = try await log.alter(topic, changes, ifRevision: nil)
            #expect(altered.settings == changes.applied(to: settings))
            #expect(altered.revision == created.revision + 1)
            #expect(try await log.describe(topic)?.settings == altered.settings)
            let reset = try await log.alter(topic, TopicChanges(TopicSettings()), ifRevision: nil)
            #expect(reset.settings == TopicSettings())
        },
        EventLogContract("leaves the revision when a change changes nothing") { log, _ in
            let topic = try TopicName("contract.alter.again")
            let created = try await log.create(topic, settings: TopicSettings())
            var changes = TopicChanges()
            changes.description = "x"
            let first = try await log.alter(topic, changes, ifRevision: created.revision)
            let again = try await log.alter(topic, changes, ifRevision: nil)
            #expect(again.revision == first.revision)
            let nothing = try await log.alter(topic, TopicChanges(), ifRevision: nil)
            #expect(nothing.revision == first.revision)
        },
        EventLogContract("refuses an event over the size that a topic was altered to") { log, _ in
            let topic = try TopicName("contract.alter.size")
            await log.append(["12345"], to: topic)
            var changes = TopicChanges()
            changes.eventBytesMax = 3
            _ = try await log.alter(topic, changes, ifRevision: nil)
            // This node reads the catalog at once, but not before the answer.
            var outcome = ["1-1"]
            for _ in 0..<200 where outcome != ["event_too_large"] {
                outcome = await log.append(["12345"], to: topic).brief
            }
            #expect(outcome == ["event_too_large"])
        },
        EventLogContract("deletes a topic, tells it, and frees its name") { log, sink in
            let topic = try TopicName("contract.delete")
            await log.append(["1", "2"], to: topic)
            try await log.follow([topic], sink: sink)
            let epoch = try #require(sink.heard.positions[topic]?.epoch)
            let gone = try await log.delete(topic, ifRevision: nil)
            #expect(gone.position.latest == 2 && gone.bytes == 2)
            #expect(await sink.wait { $0.deleted.contains(topic) })
            #expect(try await log.describe(topic) == nil)
            let successor = try await log.append(["1"], to: topic).get()[0]
            #expect(successor.first == 1 && successor.epoch != epoch)
        },
        EventLogContract("purges below an offset, tells it, and never goes back") { log, sink in
            let topic = try TopicName("contract.purge")
            await log.append(["1", "2", "3", "4"], to: topic)
            try await log.follow([topic], sink: sink)
            let purge = try await log.purge(topic, before: 3, ifRevision: nil)
            #expect(purge.events == 2)
            #expect(purge.topic.position.earliest == 3 && purge.topic.bytes == 2)
            #expect(await sink.wait { $0.purged[topic] == 3 })
            #expect(try await log.page(of: topic, after: 0).events.map(\.offset) == [3, 4])
            #expect(try await log.purge(topic, before: 1, ifRevision: nil).events == 0)
            // All, and no offset that is still to come.
            let all = try await log.purge(topic, before: 1000, ifRevision: nil)
            #expect(all.events == 2)
            #expect(all.topic.position.earliest == 5 && all.topic.position.latest == 4)
            #expect(try await log.append(["5"], to: topic).get()[0].first == 5)
        },
        EventLogContract("does nothing to settings of another revision") { log, _ in
            let topic = try TopicName("contract.revision")
            await log.append(["1"], to: topic)
            var changes = TopicChanges()
            changes.description = "x"
            let revision = try await log.alter(topic, changes, ifRevision: nil).revision
            changes.description = "y"
            let stale = revision - 1
            await expect(.revisionMoved) { () async throws(BrokerError) in
                _ = try await log.alter(topic, changes, ifRevision: stale)
            }
            await expect(.revisionMoved) { () async throws(BrokerError) in
                _ = try await log.delete(topic, ifRevision: stale)
            }
            await expect(.revisionMoved) { () async throws(BrokerError) in
                _ = try await log.purge(topic, before: 2, ifRevision: stale)
            }
            let unchanged = try #require(try await log.describe(topic))
            #expect(unchanged.settings.description == "x" && unchanged.position.earliest == 1)
            _ = try await log.delete(topic, ifRevision: revision)
        },
        EventLogContract("knows no topic that does not exist") { log, _ in
            let topic = try TopicName("contract.none")
            await expect(.topicNotFound) { () async throws(BrokerError) in
                _ = try await log.alter(topic, TopicChanges(), ifRevision: nil)
            }
            await expect(.topicNotFound) { () async throws(BrokerError) in
                _ = try await log.delete(topic, ifRevision: 1)
            }
            await expect(.topicNotFound) { () async throws(BrokerError) in
                _ = try await log.purge(topic, before: 1, ifRevision: nil)
            }
        },
    ]

    private static func expect(
        _ code: ErrorCode, _ body: () async throws(BrokerError) -> Void
    ) async {
        do throws(BrokerError) {
            try await body()
            Issue.record("not refused with \(code.rawValue)")
        } catch {
            #expect(error.code == code)
        }
    }
}
