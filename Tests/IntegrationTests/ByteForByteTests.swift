import RepeatableChance
import EventModel
import Foundation
import SessionProtocol
import SluiceClient
import Testing

private let webhooks = sharedData.appending(path: "github-webhooks.ndjson")

extension EndToEnd {
    @Suite("What is published") struct ByteForByteTests {
        @Test(
            .enabled(
                if: FileManager.default.fileExists(atPath: webhooks.path),
                "the file does not lie beside the repository"))
        func `reaches a live and a late subscriber byte for byte: GitHub's webhooks`() async throws
        {
            let broker = try await TestBroker.shared
            let samples = try readBytes(webhooks).lines.map { line in
                let fields = try JSONFields(line)
                return SampleEvent(
                    topic: try #require(fields.text("topic")),
                    data: try #require(fields.raw("event")))
            }
            let live = try await [
                TestSocket.session(broker), TestSocket.session(broker, isDeflated: true),
            ]
            for session in live {
                session.send(#"{"type":"subscribe","id":1,"topic":"github.>"}"#)
                _ = try await session.messages { $0 == .live(id: 1) }
            }

            let run = try await SluiceProgram(broker)
                .run("publish", "--ndjson", "--file", webhooks.path)
            #expect(run.status == 0, "\(run.errors)")
            #expect(run.errors.contains("published 273 events"), "\(run.errors)")
            for session in live {
                try expect(try await session.events(samples.count), toBe: samples)
            }

            for isDeflated in [false, true] {
                let late = try await TestSocket.session(broker, isDeflated: isDeflated)
                late.send(#"{"type":"subscribe","id":1,"topic":"github.>","from":"earliest"}"#)
                try expect(try await late.events(samples.count), toBe: samples)
                #expect(try await late.message() == .live(id: 1))
            }
        }

        @Test func `reaches a live and a late subscriber byte for byte: whatever JSON can be`()
            async throws
        {
            let broker = try await TestBroker.shared
            var random = SeededGenerator()
            print("seed \(random.seed)")
            let prefix = freshTopic("odd")
            let texts = SampleEvents.make(using: &random).shuffled(using: &random)
            let byLine = texts.enumerated().map { index, data in
                SampleEvent(topic: "\(prefix).\(index % 3)", data: data)
            }
            let byRequest = (SampleEvents.withLineEnds + texts).map { data in
                SampleEvent(topic: "\(prefix).requests", data: data)
            }
            let live = try await [
                TestSocket.session(broker), TestSocket.session(broker, isDeflated: true),
            ]
            for session in live {
                session.send(#"{"type":"subscribe","id":1,"topic":"\#(prefix).>"}"#)
                _ = try await session.messages { $0 == .live(id: 1) }
            }

            var input: [UInt8] = []
            for event in byLine {
                input += #"{"topic":"\#(event.topic)","data":"#.utf8
                input += event.data
                input += "}\n".utf8
            }
            let run = try await SluiceProgram(broker).run("publish", "--ndjson", input: input)
            #expect(run.status == 0, "seed \(random.seed): \(run.errors)")
            let http = TestHTTP(broker)
            for event in byRequest {
                let answer = try await http.publish(event.topic, event.data)
                #expect(answer.status == 201, "seed \(random.seed): \(answer.body.text)")
            }
            let all = byLine + byRequest
            for session in live { try expect(try await session.events(all.count), toBe: all) }

            for isDeflated in [false, true] {
                let late = try await TestSocket.session(broker, isDeflated: isDeflated)
                late.send(
                    #"{"type":"subscribe","id":1,"topic":"\#(prefix).>","from":"earliest"}"#)
                try expect(try await late.events(all.count), toBe: all)
            }
        }

        @Test func `keeps key, event id and attributes as they are`() async throws {
            let broker = try await TestBroker.shared
            let topic = freshTopic()
            let live = try await TestSocket.session(broker)
            live.send(#"{"type":"subscribe","id":1,"topic":"\#(topic)"}"#)
            _ = try await live.messages { $0 == .live(id: 1) }
            let line =
                #"{"data":1,"attributes":{"b":"x","a":"\u00e9"},"event_id":"id 1","key":"k\"é","topic":"\#(topic)"}"#
            let answer = try await TestHTTP(broker).publishMany([line])
            #expect(answer.status == 201, "\(answer.body.text)")
            let content = try await live.events(1)[0].event.content
            #expect(content.key == #"k"é"#)
            #expect(content.eventID == "id 1")
            #expect(content.attributes?.text == #"{"b":"x","a":"\u00e9"}"#)
        }
    }
}

/// Per topic in order, offsets 1, 2, 3 …, and the data byte for byte.
private func expect(_ events: [EventMessage], toBe samples: [SampleEvent]) throws {
    let byTopic = Dictionary(grouping: events, by: \.topic.text)
    let expected = Dictionary(grouping: samples, by: \.topic)
    #expect(Set(byTopic.keys) == Set(expected.keys))
    for (topic, samples) in expected {
        let events = byTopic[topic] ?? []
        #expect(events.map(\.event.offset) == (1...Offset(samples.count)).map { $0 }, "\(topic)")
        for (event, sample) in zip(events, samples) where event.event.content.data != sample.data {
            let (came, sent) = (event.event.content.data.text, sample.data.text)
            Issue.record(
                "\(topic) \(event.event.offset): \(came.prefix(200)) instead of \(sent.prefix(200))"
            )
        }
    }
}
