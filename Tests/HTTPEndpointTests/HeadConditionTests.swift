import EventModel
import NIOCore
import NIOHTTP1
import NIOPosix
import Testing
import Transport

@testable import HTTPEndpoint

@Suite("A publish with If-Match") struct HeadConditionTests {
    private let fixture = BrokerFixture()
    private let cursor = #""old1-41""#

    @Test func `is appended behind the offset of a cursor that would resume silently`() async throws
    {
        let answer = try await fixture.publish("1", ["If-Match": cursor])
        #expect(answer.status == 201)
        #expect(fixture.log.appends[0].parts[0].expectedHead == 41)
        // So that it is not another life's offset by the time it is appended.
        #expect(fixture.log.appends[0].parts[0].expectedEpoch == Epoch("old1"))
    }

    @Test func `is refused with the head when the cursor was reset`() async throws {
        fixture.log.set { state in
            state.failure = BrokerError(.headMoved, "The head moved.")
            state.failure?.head = Cursor(epoch: ScriptedLog.epoch, offset: 44)
        }
        let answer = try await fixture.publish("1", ["If-Match": cursor])
        #expect(answer.code == "head_moved")
        #expect(answer.headers.contains(#"etag: "k3f91-44""#))
    }

    @Test func `is refused without a head when there is no such topic`() async throws {
        fixture.log.set { $0.failure = BrokerError(.topicNotFound, "There is no such topic.") }
        let answer = try await fixture.publish("1", ["If-Match": cursor])
        #expect(answer.code == "head_moved")
        #expect(!answer.body.contains(#""cursor""#))
        #expect(answer.body.contains(#""committed":"no""#))
        // Nor is it created.
        #expect(!fixture.log.appends[0].createsTopics)
    }

    /// The log keeps the order while it checks.
    @Test func `is in the log's hands before what comes behind it`() async throws {
        fixture.log.set { $0.holds = true }
        let json = ("content-type", "application/json")
        let first = try await fixture.begin(
            .POST, "/v1/topics/a/events", [json.0: json.1, "if-match": cursor], "1")
        let second = try await fixture.begin(.POST, "/v1/topics/a/events", [json.0: json.1], "2")
        #expect(fixture.log.appends.map { $0.parts[0].events[0].data } == [[0x31], [0x32]])
        fixture.log.release()
        #expect(try await first.get().status == 201)
        #expect(try await second.get().status == 201)
    }

    /// Two listeners can have connections from one address and port, and of others none is known.
    @Test(arguments: ["127.0.0.1:40000", ""])
    func `holds up no other connection, whatever address others have`(address: String)
        async throws
    {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let connections = group.makeIterator().map { eventLoop in
            ConnectionInfo(
                remoteAddress: address, isTLS: false, eventLoop: eventLoop, loopIndex: 0)
        }
        fixture.log.set { $0.holds = true }
        let (json, target) = (("content-type", "application/json"), "/v1/topics/a/events")
        let first = try await fixture.begin(
            .POST, target, [json.0: json.1, "if-match": cursor], "1", from: connections[0])
        fixture.log.set { $0.holds = false }
        let other = try await fixture.begin(
            .POST, target, [json.0: json.1], "2", from: connections[1])
        #expect(try await other.get().status == 201)
        fixture.log.release()
        #expect(try await first.get().status == 201)
        try await group.shutdownGracefully()
    }
}
