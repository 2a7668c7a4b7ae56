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
        EventLogContract("tells every event above where a pattern's topics stood") { log, sink in
            let old = try TopicName("contract.pattern.old")
            let new = try TopicName("contract.pattern.new")
            await log.append(["1", "2"], to: old)
            try await log.follow(matching: try TopicPattern("contract.pattern.*"))
            await log.append(["3"], to: old)
            await log.append(["4"], to: old)
            #expect(await sink.wait(for: 2, of: old))
            #expect(sink.heard.offsets(of: old) == [3, 4])
            // One that comes later is told, and followed by who asks for it.
            await log.append(["1"], to: new)
            #expect(await sink.wait { $0.created.contains(new) })
            try await log.follow([new], sink: sink)
            log.unfollow([new, old])
            await log.append(["2"], to: new)
            await log.append(["5"], to: old)
            #expect(await sink.wait { $0.offsets(of: old).last == 5 })
            #expect(await sink.wait { $0.offsets(of: new).last == 2 })
            #expect(sink.heard.untoldHoles.isEmpty)
        },
        EventLogContract("ends following a pattern, but not what others follow") { log, sink in
            let topics = try ["a", "b", "c"].map { try TopicName("contract.leave.\($0)") }
            for topic in topics { await log.append(["1"], to: topic) }
            try await log.follow([topics[0]], sink: sink)
            try await log.follow(matching: try TopicPattern("contract.leave.*"))
            try await log.follow(matching: try TopicPattern("contract.leave.b"))
            log.unfollow(matching: [try TopicPattern("contract.leave.*")])
            try await log.follow([topics[0]], sink: sink)
            for topic in topics.reversed() { await log.append(["2"], to: topic) }
            #expect(await sink.wait(for: 1, of: topics[0]))
            #expect(await sink.wait(for: 1, of: topics[1]))
            #expect(sink.heard.events[topics[2]] == nil)
        },
        EventLogContract("gives the topics of patterns by name, some at a time") { log, _ in
            let names = [
                "contract.walk.a", "contract.walk.a.b", "contract.walk.c", "contract.wall",
            ]
            for name in names.reversed() { await log.append(["1"], to: try TopicName(name)) }
            // They are told before this is answered.
            let pattern = try TopicPattern("contract.walk.>")
            try await log.follow(matching: pattern)
            defer { log.unfollow(matching: [pattern]) }
            let patterns = try [TopicPattern("contract.walk.*"), TopicPattern("contract.walk.a.>")]
            func walk(after: TopicName?, _ count: Int) -> [String] {
                log.topics(matching: patterns, after: after, count: count).map(\.text)
            }
            #expect(walk(after: nil, 10) == Array(names[..<3]))
            #expect(walk(after: nil, 2) == Array(names[..<2]))
            #expect(walk(after: try TopicName(names[1]), 2) == [names[2]])
            #expect(log.topics(matching: pattern).map(\.text) == Array(names[..<3]))
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
