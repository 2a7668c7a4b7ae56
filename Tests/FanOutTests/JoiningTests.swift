internal import EventModel
internal import RepeatableChance
internal import Testing

@testable import FanOut

@Suite("Messages that are joined") struct JoiningTests {
    private let loop = TestLoop(backlogBytesMax: 100_000)
    private let orders: TopicName
    private let client: TestClient

    private static let encoding = encoding(opening: "[", separator: ",", closing: "]")

    /// Events are bare numbers, padded to their size; a header has four digits.
    fileprivate static func encoding(
        opening: String, separator: String, closing: String
    ) -> Encoding {
        Encoding(
            event: { _, _, event in padded("\(event.offset)", to: event.content.data.count) },
            notice: { _ in padded("n", to: 1) },
            joining: Joining(
                headerBytesMax: 6,
                list: (Array(opening.utf8), Array(separator.utf8), Array(closing.utf8))
            ) { length, place in
                place.copyBytes(from: padded("\(length)", to: 4))
                return 4
            })
    }

    private static func padded(_ text: String, to size: Int) -> [UInt8] {
        Array((text + String(repeating: ".", count: max(0, size - text.utf8.count))).utf8)
    }

    init() throws {
        orders = try TopicName("orders")
        client = TestClient(on: loop, encoding: Self.encoding)
        client.block()
        let feed = loop.follows(orders)
        _ = try loop.subscribed(client, patterns: ["orders"], at: [(feed, 0)])
        // `live` is taken.
        #expect(record() == "1...n")
    }

    /// The next record.
    private func record(bytes: Int = 40) -> String {
        withUnsafeTemporaryAllocation(byteCount: bytes, alignment: 1) { record in
            let count = client.subscriber.backlog.fill(record, joining: Self.encoding.joining)
            return String(decoding: record[..<count], as: UTF8.self)
        }
    }

    @Test func `are one text, as many as fit, and one alone is alone`() {
        loop.append(1...7, to: orders, bytes: 10)
        #expect(record(bytes: 39) == "23..[1.........,2.........]")
        // Three, commas, brackets and the largest header just fill the record.
        #expect(record(bytes: 40) == "34..[3.........,4.........,5.........]")
        #expect(record(bytes: 27) == "10..6.........")
        #expect(record() == "10..7.........")
        #expect(record() == "")
        #expect(client.subscriber.backlog.byteCount == 0)
    }

    @Test func `over a record's size go alone, over several of them`() {
        loop.append(1...1, to: orders, bytes: 50)
        loop.append(2...3, to: orders, bytes: 3)
        #expect(record() == "50..1" + String(repeating: ".", count: 35))
        #expect(record() == String(repeating: ".", count: 14) + "9...[2..,3..]")
        #expect(client.subscriber.backlog.isEmpty)
    }

    @Test func `leave replies as they are, and stay in order with them`() {
        loop.append(1...2, to: orders, bytes: 2)
        client.subscriber.sendControl(Array("<pong>".utf8))
        loop.append(3...4, to: orders, bytes: 2)
        #expect(record() == "7...[1.,2.]<pong>7...[3.,4.]")
    }

    @Test func `are not begun where they do not fit whole, but in the next record`() throws {
        client.subscriber.sendControl(Array("<pong>".utf8))
        loop.append(1...1, to: orders, bytes: 30)
        #expect(record() == "<pong>")
        // Nothing of it went out yet, so it can still be dropped.
        let subscription = try #require(client.subscriber.subscriptions.first)
        loop.shard.remove(subscription)
        #expect(record() == "")
    }

    @Test func `that have begun are finished when their subscription ends`() throws {
        loop.append(1...2, to: orders, bytes: 50)
        #expect(record().hasPrefix("50..1"))
        loop.shard.remove(try #require(client.subscriber.subscriptions.first))
        #expect(record() == String(repeating: ".", count: 14))
        #expect(record() == "")
    }

    @Test(arguments: 1...20) func `come whole and in order, however records cut them`(seed: UInt64)
    {
        var random = SeededGenerator(seed: seed)
        var sent: [String] = []
        var offset: Offset = 0
        for number in 1...200 {
            if Int.random(in: 0..<5, using: &random) == 0 {
                // As long as it says, like all others.
                let reply = Self.padded("4...", to: 4) + Self.padded("r\(number % 10)", to: 4)
                client.subscriber.sendControl(reply)
                sent.append("r\(number % 10)..")
            } else {
                offset += 1
                let size = Int.random(in: 3...90, using: &random)
                loop.append(offset...offset, to: orders, bytes: size)
                sent.append(
                    String(decoding: Self.padded("\(offset)", to: size), as: UTF8.self))
            }
        }
        var bytes = ""
        while !client.subscriber.backlog.isEmpty {
            let size = Int.random(in: 20...120, using: &random)
            let record = record(bytes: size)
            #expect(!record.isEmpty)
            bytes += record
        }
        var received: [String] = []
        var rest = bytes.utf8[...]
        while !rest.isEmpty {
            let header = String(decoding: rest.prefix(4), as: UTF8.self)
            guard let length = Int(header.prefix { $0 != "." }) else { break }
            let text = String(decoding: rest.dropFirst(4).prefix(length), as: UTF8.self)
            rest = rest.dropFirst(4 + length)
            let list = text.hasPrefix("[") ? text.dropFirst().dropLast() : text[...]
            received += list.split(separator: ",").map(String.init)
        }
        #expect(received == sent)
        #expect(client.subscriber.backlog.byteCount == 0)
    }
}

@Suite("Messages that are joined by more than a byte") struct LongJoiningTests {
    @Test func `are one text, as many as fit with it`() throws {
        let loop = TestLoop()
        let orders = try TopicName("orders")
        let encoding = JoiningTests.encoding(opening: "<<", separator: " - ", closing: " >>>")
        let client = TestClient(on: loop, encoding: encoding)
        client.block()
        let feed = loop.follows(orders)
        _ = try loop.subscribed(client, patterns: ["orders"], at: [(feed, 0)])
        func record(_ bytes: Int) -> String {
            withUnsafeTemporaryAllocation(byteCount: bytes, alignment: 1) { record in
                let count = client.subscriber.backlog.fill(record, joining: encoding.joining)
                return String(decoding: record[..<count], as: UTF8.self)
            }
        }
        #expect(record(20) == "1...n")
        loop.append(1...5, to: orders, bytes: 5)
        // Two with what is around them, and the largest header, just fill the record.
        #expect(record(25) == "19..<<1.... - 2.... >>>")
        #expect(record(24) == "5...3....5...4....")
        #expect(record(24) == "5...5....")
    }
}
