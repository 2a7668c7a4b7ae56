import EventModel
import Testing

extension EventLogContract {
    static let followChecks = [
        EventLogContract("tells a follower every event above the position it began at") {
            log, sink in
            let topic = try TopicName("contract.follow")
            await log.append(["1", "2"], to: topic)
            try await log.follow([topic], sink: sink)
            await log.append(["3"], to: topic)
            await log.append(["4", "5"], to: topic)
            #expect(await sink.wait(for: 3, of: topic))
            let heard = sink.heard
            #expect(heard.positions[topic]?.latest == 2)
            #expect(heard.offsets(of: topic) == [3, 4, 5])
            #expect(heard.epochs[topic] == heard.positions[topic]?.epoch)
            #expect(heard.events[topic]?.map(\.text) == ["3", "4", "5"])
        },
        EventLogContract("loses nothing between following and concurrent appends") { log, sink in
            let topic = try TopicName("contract.follow.concurrent")
            let count = 300
            await log.append(["0"], to: topic)
            async let appending: Void = {
                for number in 1...count { await log.append(["\(number)"], to: topic) }
            }()
            try await log.follow([topic], sink: sink)
            await appending
            let latest = try #require(sink.heard.positions[topic]?.latest)
            let expected = Array((latest + 1)..<Offset(count + 2))
            #expect(await sink.wait(for: expected.count, of: topic))
            #expect(sink.heard.offsets(of: topic) == expected)
        },
        EventLogContract("answers a second follow with where the topic stands now") { log, sink in
            let topic = try TopicName("contract.follow.twice")
            await log.append(["1"], to: topic)
            try await log.follow([topic], sink: sink)
            await log.append(["2"], to: topic)
            #expect(await sink.wait(for: 1, of: topic))
            try await log.follow([topic], sink: sink)
            #expect(sink.heard.positions[topic]?.latest == 2)
            await log.append(["3"], to: topic)
            #expect(await sink.wait(for: 2, of: topic))
            #expect(sink.heard.offsets(of: topic) == [2, 3])
        },
        EventLogContract("leaves topics that do not exist out, and tells their creation") {
            log, sink in
            let topic = try TopicName("contract.follow.later")
            try await log.follow([topic], sink: sink)
            #expect(sink.heard.positions[topic] == nil)
            await log.append(["1"], to: topic)
            #expect(await sink.wait { $0.created.contains(topic) })
            #expect(log.topics(matching: TopicPattern(topic)) == [topic])
        },
        EventLogContract("tells nothing of a topic that is not followed") { log, sink in
            let followed = try TopicName("contract.follow.yes")
            let other = try TopicName("contract.follow.no")
            await log.append(["1"], to: followed)
            await log.append(["1"], to: other)
            try await log.follow([followed], sink: sink)
            await log.append(["2"], to: other)
            await log.append(["2"], to: followed)
            #expect(await sink.wait(for: 1, of: followed))
            #expect(sink.heard.events[other] == nil)
        },
    ]
}
