import EventModel
import Testing

extension EventLogContract {
    static let appendChecks = [
        EventLogContract("gives dense offsets in the order of the calls") { log, _ in
            let topic = try TopicName("contract.dense")
            #expect(await log.append(["1", "2"], to: topic).brief == ["1-2"])
            #expect(await log.append(["3"], to: topic).brief == ["3-3"])
            let events = try await log.allEvents(of: topic)
            #expect(events.map(\.offset) == [1, 2, 3])
            #expect(events.map(\.text) == ["1", "2", "3"])
            #expect(zip(events, events.dropFirst()).allSatisfy { $0.time <= $1.time })
        },
        EventLogContract("keeps every byte of an event") { log, _ in
            let topic = try TopicName("contract.bytes")
            let event = NewEvent(
                data: Array(#"{ "é" : 1.0e400, "b":"\u0000\ud800", "a":[ ] }"#.utf8), key: "k ö",
                eventID: "id/1", attributes: Array(#"{"source": "x"}"#.utf8))
            let bare = NewEvent(data: Array("null".utf8))
            _ = await log.append(
                AppendRequest(parts: [.init(topic: topic, events: [event, bare])]))
            let events = try await log.allEvents(of: topic)
            #expect(events.map(\.content) == [event, bare])
        },
        EventLogContract("appends concurrent requests completely and in the order of each caller") {
            log, _ in
            let topic = try TopicName("contract.concurrent")
            let callers = 8
            let requests = 25
            try await withThrowingTaskGroup(of: Void.self) { group in
                for caller in 0..<callers {
                    group.addTask {
                        for number in 0..<requests {
                            let result = await log.append(["\(caller * 1000 + number)"], to: topic)
                            _ = try result.get()
                        }
                    }
                }
                try await group.waitForAll()
            }
            let events = try await log.allEvents(of: topic)
            #expect(events.map(\.offset) == Array(1...Offset(callers * requests)))
            for caller in 0..<callers {
                let own = events.compactMap { Int($0.text) }.filter { $0 / 1000 == caller }
                #expect(own == (0..<requests).map { caller * 1000 + $0 })
            }
        },
        EventLogContract("appends a request with the same key once") { log, _ in
            let topic = try TopicName("contract.key")
            let first = await log.append(["1", "2"], to: topic, key: "a")
            let again = await log.append(["1", "2"], to: topic, key: "a")
            #expect(first.brief == ["1-2"])
            #expect(again.brief == ["=1-2"])
            #expect(try again.get().map(\.time) == first.get().map(\.time))
            let conflict = await log.append(["3"], to: topic, key: "a")
            #expect(conflict.brief == ["idempotency_conflict"])
            #expect(conflict.error?.committed == .no)
            #expect(try await log.allEvents(of: topic).count == 2)
        },
        EventLogContract("appends a CloudEvent once per source and id, whatever its trace") {
            log, _ in
            let topic = try TopicName("contract.cloudevents")
            func event(_ source: String, _ data: String, trace: String) -> AppendRequest {
                let event = NewEvent(
                    data: Array(data.utf8), eventID: "1",
                    attributes: Array(
                        #"{"source":"\#(source)","traceparent":"\#(trace)"}"#.utf8))
                let key = IdempotencyKey(event: event, source: source) { bytes in
                    let sum = bytes.reduce(UInt64(7)) { $0 &* 31 &+ UInt64($1) }
                    return Array(String(sum | 1 << 63).utf8)
                }
                return AppendRequest(
                    parts: [.init(topic: topic, events: [event], idempotency: key)])
            }
            #expect(await log.append(event("/a", "1", trace: "x")).brief == ["1-1"])
            #expect(await log.append(event("/a", "1", trace: "y")).brief == ["=1-1"])
            #expect(await log.append(event("/b", "1", trace: "x")).brief == ["2-2"])
            #expect(
                await log.append(event("/a", "2", trace: "x")).brief == ["idempotency_conflict"])
            let kept = try await log.allEvents(of: topic)[0].content.attributes ?? []
            #expect(
                String(decoding: kept, as: UTF8.self) == #"{"source":"/a","traceparent":"x"}"#)
        },
        EventLogContract("appends on the expected head only") { log, _ in
            let topic = try TopicName("contract.head")
            #expect(await log.append(["1"], to: topic, head: 0).brief == ["1-1"])
            let moved = await log.append(["2"], to: topic, head: 0)
            #expect(moved.brief == ["head_moved"])
            #expect(moved.error?.head?.offset == 1)
            #expect(await log.append(["2"], to: topic, head: 1).brief == ["2-2"])
        },
        EventLogContract("appends a request of several parts as a whole or not at all") { log, _ in
            let one = try TopicName("contract.whole.one")
            let two = try TopicName("contract.whole.two")
            let whole = await log.append(
                AppendRequest(parts: [
                    .fixture(one, ["1"]), .fixture(two, ["2"]), .fixture(one, ["3"]),
                ]))
            #expect(whole.brief == ["1-1", "1-1", "2-2"])
            let refused = await log.append(
                AppendRequest(parts: [.fixture(one, ["4"]), .fixture(two, ["5"], head: 7)]))
            #expect(refused.brief == ["head_moved"])
            #expect(try await log.allEvents(of: one).map(\.text) == ["1", "3"])
            #expect(try await log.allEvents(of: two).map(\.text) == ["2"])
        },
        EventLogContract("lets a repeated part hinder nobody") { log, _ in
            let topic = try TopicName("contract.repeat")
            _ = await log.append(["1"], to: topic, key: "1")
            let longer = await log.append(
                AppendRequest(parts: [
                    .fixture(topic, ["1"], key: "1"), .fixture(topic, ["2"], key: "2"),
                ]))
            #expect(longer.brief == ["=1-1", "2-2"])
        },
        EventLogContract("takes a head of another life of the topic only if it would resume") {
            log, _ in
            let topic = try TopicName("contract.head.life")
            let epoch = try await log.append(["1"], to: topic).get()[0].epoch
            let strange = try #require(Epoch("zzzzzzzzzz\(epoch.text.dropFirst(10))"))
            let recreated = Epoch(incarnation: epoch.incarnation, topicID: 1_000_000)
            for other in [strange, recreated] {
                var request = AppendRequest.fixture(topic, ["2"], head: 1)
                request.parts[0].expectedEpoch = other
                let refused = await log.append(request)
                #expect(refused.brief == ["head_moved"])
                #expect(refused.error?.committed == .no)
                #expect(refused.error?.head == Cursor(epoch: epoch, offset: 1))
            }
            var request = AppendRequest.fixture(topic, ["2"], head: 1)
            request.parts[0].expectedEpoch = epoch
            #expect(await log.append(request).brief == ["2-2"])
        },
        EventLogContract("keeps the order of the calls behind a head that has to be checked") {
            log, _ in
            let topic = try TopicName("contract.head.order")
            let epoch = try await log.append(["1"], to: topic).get()[0].epoch
            var checked = AppendRequest.fixture(topic, ["2"], head: 1)
            checked.parts[0].expectedEpoch = Epoch("zzzzzzzzzz\(epoch.text.dropFirst(10))")
            let (answers, answer) = AsyncStream.makeStream(of: String.self)
            for request in [checked, .fixture(topic, ["3"]), .fixture(topic, ["4"])] {
                log.append(request) { answer.yield($0.brief[0]) }
            }
            var told: [String] = []
            for await brief in answers.prefix(3) { told.append(brief) }
            #expect(told == ["head_moved", "2-2", "3-3"])
            #expect(try await log.allEvents(of: topic).map(\.text) == ["1", "3", "4"])
        },
        EventLogContract("refuses an event that is larger than its topic takes") { log, _ in
            let topic = try TopicName("contract.bytes.max")
            var settings = TopicSettings()
            settings.eventBytesMax = 10
            _ = try await log.create(topic, settings: settings)
            #expect(await log.append([#""12345678""#], to: topic).brief == ["1-1"])
            let refused = await log.append(["1", #""123456789""#], to: topic)
            #expect(refused.brief == ["event_too_large"])
            #expect(refused.error?.committed == .no)
            // Whatever it is made of.
            let event = NewEvent(data: Array("1".utf8), key: "1234567890")
            let keyed = AppendRequest(parts: [.init(topic: topic, events: [event])])
            #expect(await log.append(keyed).brief == ["event_too_large"])
            #expect(try await log.allEvents(of: topic).map(\.text) == [#""12345678""#])
        },
        EventLogContract("creates topics on first use only where that is allowed") { log, _ in
            let topic = try TopicName("contract.missing")
            var request = AppendRequest.fixture(topic, ["1"])
            request.createsTopics = false
            let refused = await log.append(request)
            #expect(refused.brief == ["topic_not_found"])
            #expect(refused.error?.committed == .no)
            request.createsTopics = true
            #expect(await log.append(request).brief == ["1-1"])
        },
    ]
}
