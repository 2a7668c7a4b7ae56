import EventModel
import Filtering
import Testing

@testable import HTTPEndpoint

@Suite("What a page with a filter looks at") struct PageScanTests {
    private let topic: TopicName
    private let epoch = Epoch(incarnation: "k3f9", topicID: 1)

    init() throws { topic = try TopicName("a") }

    private func limits(pageEvents: Int = 10, pageBytes: Int = 1 << 20) -> Limits {
        var limits = Limits()
        limits.pageEventsMax = pageEvents
        limits.pageBytesMax = pageBytes
        return limits
    }

    private func scan(
        after: Offset = 0, events: Int, filter: String? = "$ == 0", _ limits: Limits
    ) throws -> PageScan {
        PageScan(
            after: after, events: events,
            filter: try filter.map { try EventFilter($0, bytesMax: 4096) }, limits: limits)
    }

    /// Events whose data is the last digit of their offset.
    private func read(
        _ offsets: ClosedRange<Offset>?, latest: Offset = 1000, epoch: Epoch? = nil,
        data: String? = nil
    ) -> EventPage {
        EventPage(
            position: TopicPosition(
                topic: topic, epoch: epoch ?? self.epoch, earliest: 1, latest: latest),
            purgedBelow: 1,
            events: (offsets.map(Array.init) ?? []).map { offset in
                Event(
                    offset: offset, time: Timestamp(microseconds: 0),
                    content: NewEvent(data: Array((data ?? "\(offset % 10)").utf8)))
            })
    }

    private func offsets(_ scan: PageScan) -> [Offset] { scan.page?.events.map(\.offset) ?? [] }

    @Test func `is one read without a filter`() throws {
        var scan = try scan(after: 4, events: 3, filter: nil, limits())
        #expect(scan.question == .init(after: 4, events: 3, bytes: 4 << 20))
        scan.take(read(5...7))
        #expect(scan.question == nil && offsets(scan) == [5, 6, 7] && scan.seen == 5...7)
    }

    @Test func `goes on until enough events fit, and ends at the last of them`() throws {
        var scan = try scan(events: 2, limits())
        #expect(scan.question == .init(after: 0, events: 10, bytes: 1 << 20))
        scan.take(read(1...10))
        #expect(scan.question == .init(after: 10, events: 10, bytes: 1 << 20))
        scan.take(read(11...25))
        #expect(scan.question == nil)
        #expect(offsets(scan) == [10, 20] && scan.seen == 1...20)
    }

    @Test func `ends at the newest event`() throws {
        var scan = try scan(events: 100, limits())
        scan.take(read(1...10, latest: 12))
        scan.take(read(11...12, latest: 12))
        #expect(scan.question == nil && offsets(scan) == [10] && scan.seen == 1...12)
    }

    @Test func `ends after ten pages of events, however few fit`() throws {
        var scan = try scan(events: 100, filter: "$ == 99", limits())
        var reads = 0
        while let question = scan.question {
            scan.take(read(question.after + 1...question.after + Offset(question.events)))
            reads += 1
        }
        #expect(reads == 10 && offsets(scan) == [] && scan.seen == 1...100)
    }

    @Test func `ends after the bytes of one page over HTTP`() throws {
        var limits = limits(pageBytes: 3000)
        limits.answerPageBytesMax = 10_000
        var scan = try scan(events: 100, filter: "$ == 99", limits)
        var asked: [Int] = []
        while let question = scan.question {
            asked.append(question.bytes)
            let data = "\"" + String(repeating: "x", count: 2998) + "\""
            scan.take(read(question.after + 1...question.after + 1, data: data))
        }
        #expect(asked == [3000, 3000, 3000, 1000] && scan.seen == 1...4)
    }

    @Test func `leaves a hole that came meanwhile, and another life, to the next page`() throws {
        for later in [read(15...20), read(11...20, epoch: Epoch(incarnation: "k3fa", topicID: 1))] {
            var scan = try scan(events: 5, limits())
            scan.take(read(1...10))
            scan.take(later)
            #expect(scan.question == nil && offsets(scan) == [10] && scan.seen == 1...10)
            #expect(scan.page?.position.epoch == epoch)
        }
    }

    @Test func `is nothing where nothing is kept`() throws {
        var scan = try scan(after: 3, events: 5, limits())
        scan.take(read(nil))
        #expect(scan.question == nil && scan.seen == nil && scan.page?.events.isEmpty == true)
    }
}
