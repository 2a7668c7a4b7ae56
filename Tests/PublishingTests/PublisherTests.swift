import AccessControl
import EventModel
import HTTPEndpoint
import MemoryLog
import NIOHTTP1
import Publishing
import SessionEndpoint
import SessionProtocol
import Testing

/// What a publisher wants, before it is said in a protocol.
struct Wish: Sendable {
    var topic = "a"
    var data: String
    var eventID: String?
    var head: Cursor?

    /// The request, as each protocol's own parser makes it.
    func request(by way: Way) throws -> PublishRequest {
        switch way {
        case .post:
            var headers: HTTPHeaders = ["content-type": "application/json"]
            if let eventID { headers.add(name: "sluice-event-id", value: eventID) }
            if let head { headers.add(name: "if-match", value: "\"\(head)\"") }
            return try PublishRequest(
                to: TopicName(topic), fields: PublishFields(headers), body: utf8(data),
                limits: Limits())
        case .postLines:
            let id = eventID.map { #","event_id":"\#($0)""# } ?? ""
            return try PublishRequest(
                fields: PublishFields(["content-type": "application/x-ndjson"]),
                body: utf8(#"{"topic":"\#(topic)"\#(id),"data":\#(data)}"#), limits: Limits())
        case .session:
            let message = PublishMessage(
                id: 1, topic: try TopicName(topic),
                event: NewEvent(data: utf8(data), eventID: eventID), ifHead: head)
            let bytes = ClientMessage.publish(message).encode()
            guard case .publish(let read) = try ClientMessage.decode(bytes, limits: Limits())
            else { throw BrokerError(.internal, "That was no publish.") }
            return PublishRequest(read)
        }
    }
}

enum Way: CaseIterable, Sendable {
    case post, postLines, session

    static let conditional: [Way] = [.post, .session]
}

extension Publisher {
    /// What becomes of it, in short: topic, cursor's offset, and whether it is a repeat; or the code,
    /// whether it is committed, and the head.
    func publish(_ wish: Wish, by way: Way) async throws -> String {
        let request = try wish.request(by: way)
        let result = await withCheckedContinuation { continuation in
            publish(request, by: nil) { continuation.resume(returning: $0) }
        }
        switch result {
        case .success(let answer):
            let event =
                way == .postLines
                ? answer.events.map { ($0.topic, $0.cursor, $0.isRepeat) }[0]
                : (answer.whole.topic, answer.whole.cursor, answer.whole.isRepeat)
            return "\(event.0) \(event.1.offset)\(event.2 ? " again" : "")"
        case .failure(let error):
            let head = error.head.map { " \($0.offset)" } ?? ""
            return "\(error.code.rawValue) \(error.committed?.rawValue ?? "?")\(head)"
        }
    }
}

@Suite("A publish, whatever way it comes") struct PublisherTests {
    private let log = MemoryLog()

    private func publisher(createsTopics: Bool = true) -> Publisher {
        Publisher(log: log, createsTopics: createsTopics) { bytes in
            Array(
                repeating: UInt8(truncatingIfNeeded: bytes.reduce(7) { $0 &* 31 &+ Int($1) }),
                count: 32)
        }
    }

    @Test(arguments: Way.allCases) func `is appended byte for byte`(way: Way) async throws {
        let wish = Wish(data: #"{ "n" : 1.10 }"#)
        #expect(try await publisher().publish(wish, by: way) == "a 1")
        let topic = try TopicName("a")
        let page = await withCheckedContinuation { continuation in
            log.page(of: topic, after: 0, events: 1, bytes: 1) {
                continuation.resume(returning: $0)
            }
        }
        #expect(try page.get().events.map(\.content) == [NewEvent(data: utf8(wish.data))])
    }

    @Test(arguments: Way.allCases, Way.allCases)
    func `is appended once for one event id, and refused for another event`(
        way: Way, again: Way
    ) async throws {
        let publisher = publisher()
        let wish = Wish(data: "1", eventID: "x")
        #expect(try await publisher.publish(wish, by: way) == "a 1")
        #expect(try await publisher.publish(wish, by: again) == "a 1 again")
        let other = Wish(data: "2", eventID: "x")
        #expect(try await publisher.publish(other, by: again) == "idempotency_conflict no")
    }

    @Test(arguments: Way.allCases) func `goes to no reserved topic`(way: Way) async throws {
        let wish = Wish(topic: "sluice.a", data: "1")
        #expect(try await publisher().publish(wish, by: way) == "forbidden no")
        #expect(log.topics(matching: try TopicPattern("sluice.>")).isEmpty)
    }

    @Test(arguments: Way.allCases)
    func `creates its topic only where that is allowed`(way: Way) async throws {
        let wish = Wish(data: "1")
        let strict = publisher(createsTopics: false)
        #expect(try await strict.publish(wish, by: way) == "topic_not_found no")
        #expect(try await publisher().publish(wish, by: way) == "a 1")
        #expect(try await strict.publish(wish, by: way) == "a 2")
    }

    @Test(arguments: Way.conditional)
    func `on a head is appended there, and otherwise told the head`(way: Way) async throws {
        let publisher = publisher()
        #expect(try await publisher.publish(Wish(data: "1"), by: way) == "a 1")
        let epoch = try #require(try await log.describe(TopicName("a"))).position.epoch
        let wish = Wish(data: "2", head: Cursor(epoch: epoch, offset: 1))
        #expect(try await publisher.publish(wish, by: way) == "a 2")
        #expect(try await publisher.publish(wish, by: way) == "head_moved no 2")
        let strange = Cursor(epoch: try #require(Epoch("zzzzzzzzzz1")), offset: 2)
        let other = Wish(data: "2", head: strange)
        #expect(try await publisher.publish(other, by: way) == "head_moved no 2")
    }

    @Test(arguments: Way.conditional, [true, false])
    func `on a head of a topic that is not there is refused, and creates none`(
        way: Way, createsTopics: Bool
    ) async throws {
        let head = Cursor(epoch: try #require(Epoch("memory00011")), offset: 1)
        let publisher = publisher(createsTopics: createsTopics)
        #expect(
            try await publisher.publish(Wish(data: "1", head: head), by: way) == "head_moved no")
        #expect(log.topics(matching: try TopicPattern(">")).isEmpty)
    }

    @Test(arguments: Way.allCases) func `is told that the log is away`(way: Way) async throws {
        log.setAvailable(false)
        #expect(
            try await publisher().publish(Wish(data: "1"), by: way) == "database_unavailable no")
    }
}

@Suite("A refusal of a reserved topic") struct ReservedPlaceTests {
    @Test(
        arguments: [
            (Way.post, nil), (.postLines, InputPlace(byte: 9, line: 1, field: "topic")),
            (.session, InputPlace(field: "topic")),
        ] as [(Way, InputPlace?)])
    func `tells the place of the topic where the input has one`(
        way: Way, place: InputPlace?
    ) async throws {
        let publisher = Publisher(log: MemoryLog(), createsTopics: true) { $0 }
        let request = try Wish(topic: "sluice.a", data: "1").request(by: way)
        let result = await withCheckedContinuation { continuation in
            publisher.publish(request, by: nil) { continuation.resume(returning: $0) }
        }
        guard case .failure(let error) = result else { throw BrokerError(.internal, "appended") }
        #expect(error.at == place)
    }
}
