import EventModel
import Testing

extension EventLogContract {
    static let topicChecks = [
        EventLogContract("creates a topic with its settings, once") { log, sink in
            let topic = try TopicName("contract.create")
            var settings = TopicSettings()
            settings.retainAge = .limited(.seconds(3600))
            settings.retainCount = .unlimited
            settings.eventBytesMax = 5000
            settings.description = "for \"tests\""
            let created = try await log.create(topic, settings: settings)
            #expect(created.settings == settings)
            #expect(created.position.latest == 0)
            #expect(created.position.earliest == 1)
            #expect(await sink.wait { $0.created.contains(topic) })
            let error = await #expect(throws: BrokerError.self) {
                try await log.create(topic, settings: settings)
            }
            #expect(error?.code == .topicExists)
        },
        EventLogContract("keeps every age that can be said, to the microsecond") { log, _ in
            let ages = [
                Duration.microseconds(1), .milliseconds(1250), .seconds(86_399),
                Limits.durationMax,
            ]
            for (number, age) in ages.enumerated() {
                var settings = TopicSettings()
                settings.retainAge = .limited(age)
                let topic = try TopicName("contract.age.\(number)")
                #expect(try await log.create(topic, settings: settings).settings == settings)
            }
        },
        EventLogContract("describes a topic with its ends and its bytes") { log, _ in
            let topic = try TopicName("contract.describe")
            #expect(try await log.describe(topic) == nil)
            await log.append(["123", "45"], to: topic)
            let description = try #require(try await log.describe(topic))
            #expect(description.position.latest == 2)
            #expect(description.bytes == 5)
            #expect(description.settings == TopicSettings())
        },
        EventLogContract("lists the topics of a pattern by name, in pages") { log, _ in
            for name in ["contract.list.a", "contract.list.b.x", "contract.list.c"] {
                _ = try await log.create(try TopicName(name), settings: TopicSettings())
            }
            func names(_ patterns: String..., after: String? = nil, count: Int = 10) async throws
                -> [String]
            {
                try await log.list(
                    matching: try patterns.map { try TopicPattern($0) },
                    after: try after.map { try TopicName($0) }, count: count
                ).map(\.position.topic.text)
            }
            #expect(
                try await names("contract.list.>") == [
                    "contract.list.a", "contract.list.b.x", "contract.list.c",
                ])
            #expect(try await names("contract.list.*") == ["contract.list.a", "contract.list.c"])
            #expect(try await names("contract.list.b.x") == ["contract.list.b.x"])
            #expect(
                try await names("*.list.a", "contract.list.b.>", "contract.list.a", "contract.list")
                    == ["contract.list.a", "contract.list.b.x"])
            #expect(try await names(after: nil) == [])
            #expect(
                try await names("contract.list.>", after: "contract.list.a", count: 1)
                    == ["contract.list.b.x"])
        },
    ]
}
