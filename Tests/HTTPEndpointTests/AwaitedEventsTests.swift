import Delivery
import EventModel
import Filtering
import NIOCore
import NIOHTTP1
import Testing
import Transport

@testable import HTTPEndpoint

@Suite("A page that waits at the end of its topic") struct AwaitedEventsTests {
    private let topic: TopicName
    private let epoch = Epoch(incarnation: "k3f9", topicID: 1)

    init() throws { topic = try TopicName("a") }

    private func question(_ query: String) throws -> PageQuestion {
        let head = HTTPRequestHead(
            version: .http1_1, method: .GET, uri: "/v1/topics/a/events?\(query)")
        let route = Route(
            method: .GET, path: "/v1/topics/{topic}/events", summary: "",
            query: ["limit", "filter"], action: .publish)
        let request = IncomingRequest(
            head: head, body: ByteBuffer(), connection: BrokerFixture.connection,
            answer: { _ in }, stream: { _ in })
        return try PageQuestion(RouteRequest(request, to: route, ["a"]), limits: Limits())
    }

    private func position(_ latest: Offset, _ epoch: Epoch? = nil) -> TopicPosition {
        TopicPosition(topic: topic, epoch: epoch ?? self.epoch, earliest: 1, latest: latest)
    }

    private func events(_ offsets: ClosedRange<Offset>, bytes: Int = 1) -> [Event] {
        offsets.map { offset in
            let data = "\(offset % 10)" + String(repeating: " ", count: bytes - 1)
            return Event(
                offset: offset, time: Timestamp(microseconds: 0),
                content: NewEvent(data: Array(data.utf8)))
        }
    }

    /// Waits behind 5.
    private func awaited(_ query: String = "", limits: Limits = Limits()) throws -> AwaitedEvents {
        AwaitedEvents(
            try question(query), behind: Cursor(epoch: epoch, offset: 5), limits: limits)
    }

    private func text(_ outcome: AwaitedEvents.Outcome?) -> String {
        switch outcome {
        case .page(let page, let seen): "\(page.events.map(\.offset)) of \(seen)"
        case .askAgain(let position): "ask again at \(position?.latest.description ?? "nil")"
        case nil: "wait"
        }
    }

    @Test func `waits when the node is where it is, and asks again when it is elsewhere`() throws {
        let awaited = try awaited()
        #expect(text(awaited.began(at: position(5), known: nil)) == "wait")
        #expect(text(awaited.began(at: position(4), known: nil)) == "wait")
        #expect(text(awaited.began(at: position(6), known: nil)) == "ask again at 6")
        #expect(text(awaited.began(at: position(6), known: position(6))) == "wait")
        let other = Epoch(incarnation: "k3fa", topicID: 1)
        #expect(text(awaited.began(at: position(5, other), known: nil)) == "ask again at 5")
        #expect(text(awaited.began(at: nil, known: nil)) == "ask again at nil")
    }

    @Test func `takes what comes behind it, and nothing that was there`() throws {
        var awaited = try awaited()
        #expect(text(awaited.take(.appended(events(4...5), to: position(5)))) == "wait")
        #expect(
            text(awaited.take(.appended(events(5...7), to: position(7)))) == "[6, 7] of 6...7")
    }

    @Test func `holds as many events as were asked for, and as fit`() throws {
        var few = try awaited("limit=2")
        #expect(text(few.take(.appended(events(6...9), to: position(9)))) == "[6, 7] of 6...7")
        var limits = Limits()
        limits.answerPageBytesMax = 25
        var large = try awaited(limits: limits)
        let news = events(6...9, bytes: 10)
        #expect(text(large.take(.appended(news, to: position(9)))) == "[6, 7] of 6...7")
        var one = try awaited(limits: limits)
        let huge = events(6...7, bytes: 100)
        #expect(text(one.take(.appended(huge, to: position(7)))) == "[6] of 6...6")
    }

    @Test func `goes past what a filter leaves out, and tells how far when the time is over`()
        throws
    {
        var limits = Limits()
        limits.answerPageBytesMax = 20
        var awaited = try awaited("filter=$==0", limits: limits)
        #expect(awaited.over == nil)
        let news = events(6...9, bytes: 10)
        #expect(text(awaited.take(.appended(news, to: position(9)))) == "wait")
        #expect(awaited.over?.seen == 6...9 && awaited.over?.page.position == position(9))
        #expect(
            text(awaited.take(.appended(events(10...12), to: position(12)))) == "[10] of 6...12")
    }

    @Test func `leaves to the log what is more than events`() throws {
        var awaited = try awaited()
        #expect(text(awaited.take(.purged(below: 6))) == "wait")
        #expect(text(awaited.take(.purged(below: 7))) == "ask again at nil")
        #expect(text(awaited.take(.changed)) == "ask again at nil")
        #expect(
            text(awaited.take(.appended(events(8...8), to: position(8)))) == "ask again at 8")
        let other = Epoch(incarnation: "k3fa", topicID: 1)
        let restarted = position(6, other)
        #expect(
            text(awaited.take(.appended(events(6...6), to: restarted))) == "ask again at 6")
    }

    @Test func `of a topic that was created meanwhile has its first event`() {
        for start in [StartPosition.latest, .earliest, .last(3), .ago(.seconds(60))] {
            #expect(start.onceCreated == .earliest)
        }
        let later = StartPosition.time(Timestamp(microseconds: 4_000_000_000_000_000))
        #expect(later.onceCreated == later && StartPosition.offset(1).onceCreated == .offset(1))
    }

    @Test func `waits for a topic that does not exist`() throws {
        var awaited = AwaitedEvents(try question(""), behind: nil, limits: Limits())
        #expect(text(awaited.began(at: nil, known: nil)) == "wait")
        #expect(text(awaited.began(at: position(0), known: nil)) == "ask again at 0")
        #expect(text(awaited.take(.changed)) == "ask again at nil")
        #expect(awaited.over == nil)
    }
}
