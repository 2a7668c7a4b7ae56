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
        let read = try #require(event.read(message))
        #expect(read.offset == 1234)
        #expect(read.time == 987_654_321)
    }

    @Test("is not taken for another message")
    func others() {
        let event = BenchEvent(topic: topic, bytes: 128)
        #expect(event.read(Array(#"{"type":"live","id":1}"#.utf8)) == nil)
        #expect(
            event.read(Array(#"{"type":"event","topic":"bench.slow.a","offset":1}"#.utf8)) == nil)
    }
}
