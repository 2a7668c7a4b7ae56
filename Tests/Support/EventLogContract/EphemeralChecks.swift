import EventModel
import Testing

extension EventLogContract {
    static let ephemeralChecks = [
        EventLogContract("tells an ephemeral topic's events to who follows, and keeps none") {
            log, sink in
            let topic = try await ephemeral("contract.ephemeral", in: log)
            await log.append(["1"], to: topic)
            try await log.follow([topic], sink: sink)
            #expect(sink.heard.positions[topic]?.latest == 1)
            #expect(sink.heard.positions[topic]?.earliest == 2)
            #expect(sink.heard.positions[topic]?.isEphemeral == true)
            let event = NewEvent(
                data: Array(#"{ "é" : 1.0e400, "b":"\u0000\ud800", "a":[ ] }"#.utf8), key: "k ö",
                eventID: "id/1", attributes: Array(#"{"source": "x"}"#.utf8))
            let part = AppendRequest.Part(topic: topic, events: [event])
            #expect(await log.append(AppendRequest(parts: [part])).brief == ["2-2"])
            let receipts = try await log.append(["3", "4"], to: topic).get()
            #expect(receipts.map(\.last) == [4])
            #expect(await sink.wait(for: 3, of: topic))
            let heard = sink.heard
            #expect(heard.offsets(of: topic) == [2, 3, 4])
            #expect(heard.events[topic]?[0].content == event)
            #expect(heard.events[topic]?[2].time == receipts[0].time)
            #expect(heard.epochs[topic] == receipts[0].epoch)
            let page = try await log.page(of: topic, after: 0)
            #expect(page.events.isEmpty)
            #expect(
                page.position
                    == TopicPosition(
                        topic: topic, epoch: receipts[0].epoch, earliest: 5, latest: 4,
                        isEphemeral: true))
        },
        EventLogContract("describes a topic that is ephemeral") { log, _ in
            let topic = try await ephemeral("contract.ephemeral.describe", in: log)
            await log.append(["1", "2"], to: topic)
            let description = try #require(try await log.describe(topic))
            #expect(!description.settings.isDurable)
            #expect(description.position.earliest == 3)
            #expect(description.position.latest == 2)
            #expect(description.position.isEphemeral)
            #expect(description.bytes == 0)
        },
        EventLogContract("refuses what needs a log of a topic that has none") { log, _ in
            let topic = try await ephemeral("contract.ephemeral.refused", in: log)
            let durable = try TopicName("contract.ephemeral.durable")
            let requests: [AppendRequest] = [
                .fixture(topic, ["1"], head: 0), .fixture(topic, ["1"], key: "a"),
                AppendRequest(parts: [.fixture(durable, ["1"]), .fixture(topic, ["1"])]),
                AppendRequest(parts: [.fixture(topic, ["1"]), .fixture(durable, ["1"])]),
            ]
            for request in requests {
                let refused = await log.append(request)
                #expect(refused.brief == ["ephemeral_topic"])
                #expect(refused.error?.committed == .no)
            }
            #expect(try await log.describe(topic)?.position.latest == 0)
        },
        EventLogContract("passes the ids of an ephemeral topic's events on, twice if need be") {
            log, _ in
            let topic = try await ephemeral("contract.ephemeral.ids", in: log)
            var part = AppendRequest.Part.fixture(topic, ["1"])
            part.idempotency = IdempotencyKey(text: "e:1", digest: Array(repeating: 0, count: 16))
            #expect(await log.append(AppendRequest(parts: [part])).brief == ["1-1"])
            #expect(await log.append(AppendRequest(parts: [part, part])).brief == ["2-2", "3-3"])
        },
        EventLogContract("goes on with an ephemeral topic's cursor within an incarnation") {
            log, _ in
            let topic = try await ephemeral("contract.ephemeral.resume", in: log)
            let epoch = try await log.append(["1", "2"], to: topic).get()[0].epoch
            let known = Cursor(epoch: epoch, offset: 1)
            #expect(try await log.resume([topic: known]) == [topic: .goesOn])
            let strange = try #require(Epoch("zzzzzzzzzz\(epoch.text.dropFirst(10))"))
            let other = try await log.resume([topic: Cursor(epoch: strange, offset: 1)])
            #expect(other == [topic: .reset(fork: 0, reason: .restored)])
        },
        EventLogContract("keeps the order of the calls of an ephemeral topic's publisher") {
            log, sink in
            let topic = try await ephemeral("contract.ephemeral.order", in: log)
            try await log.follow([topic], sink: sink)
            let count = 200
            for number in 1...count { log.append(.fixture(topic, ["\(number)"])) { _ in } }
            #expect(await sink.wait(for: count, of: topic))
            #expect(sink.heard.events[topic]?.map(\.text) == (1...count).map { "\($0)" })
        },
    ]

    private static func ephemeral(
        _ name: String, in log: any EventLog
    ) async throws -> TopicName {
        var settings = TopicSettings()
        settings.isDurable = false
        let topic = try TopicName(name)
        _ = try await log.create(topic, settings: settings)
        return topic
    }
}
