import EventModel
import SessionProtocol
import Testing

@testable import Bench

@Suite("A benchmark's event")
struct BenchEventTests {
    private let topic: TopicName

    init() throws { topic = try TopicName("bench.slow.a1") }

    @Test("has the length asked for, or the shortest", arguments: [0, 40, 128, 8192])
    func length(bytes: Int) {
        let event = BenchEvent(topic: topic, bytes: bytes)
        #expect(event.data(at: 0).count == max(bytes, BenchEvent.bytesMin))
        #expect(event.data(at: .max / 2).count == max(bytes, BenchEvent.bytesMin))
    }

    @Test("says in the broker's message when it was to be sent")
    func message() throws {
        let event = BenchEvent(topic: topic, bytes: 128)
        let message = EventMessage.encode(
            topic: topic, epoch: try #require(Epoch("k3f9")),
            event: Event(
                offset: 1234, time: Timestamp(microseconds: 1),
                content: NewEvent(data: event.data(at: 987_654_321))))
        let read = try #require(message.withUnsafeBytes { event.read($0) })
        #expect(read.offset == 1234)
        #expect(read.time == 987_654_321)
    }

    @Test("is not taken for another message")
    func others() {
        let event = BenchEvent(topic: topic, bytes: 128)
        for text in [
            #"{"type":"live","id":1}"#, #"{"type":"event","topic":"bench.slow.a","offset":1}"#, "",
        ] {
            let found = Array(text.utf8).withUnsafeBytes { event.read($0) }
            #expect(found == nil)
        }
    }

    @Test("is published by a message that the broker takes, with a number from 100 to 199")
    func publish() throws {
        let event = BenchEvent(topic: topic, bytes: 64)
        let text = event.publish(id: 7, at: 12, number: 305)
        guard case .publish(let message) = try ClientMessage.decode(text, limits: Limits()) else {
            Issue.record("no publish: \(String(decoding: text, as: UTF8.self))")
            return
        }
        #expect(message.id == 7)
        #expect(message.topic == topic)
        #expect(message.event.data == event.data(at: 12, number: 305))
        #expect(String(decoding: message.event.data, as: UTF8.self).contains(#","n":105,"#))
    }

    @Test("has an answer that names the publish and the offset")
    func published() throws {
        let cursor = Cursor(epoch: try #require(Epoch("k3f9")), offset: 88)
        let answer = BrokerMessage.published(
            .init(
                id: 41, topic: topic, cursor: cursor, time: Timestamp(microseconds: 1),
                isRepeat: false)
        ).encode()
        let read = try #require(answer.withUnsafeBytes { BenchEvent.readPublished($0) })
        #expect(read == (41, 88))
        let other = Array(#"{"type":"error","id":41}"#.utf8)
        #expect(other.withUnsafeBytes { BenchEvent.readPublished($0) } == nil)
    }
}
