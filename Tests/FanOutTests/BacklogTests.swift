internal import EventModel
internal import FanOut
internal import Testing

@Suite("A backlog") struct BacklogTests {
    let loop = TestLoop(backlogBytesMax: 300)
    let orders: TopicName

    init() throws { orders = try TopicName("orders") }

    private func blockedClient() throws -> TestClient {
        let client = TestClient(on: loop)
        _ = try loop.subscribed(client, patterns: ["orders"], at: [(loop.follows(orders), 0)])
        #expect(client.received() == ["live 1"])
        client.block()
        return client
    }

    @Test func `fills records with parts of messages and whole ones`() throws {
        let client = try blockedClient()
        loop.append(1...3, to: orders, bytes: 100)
        client.unblock(bytes: 150)
        #expect(client.received() == ["orders 1"])
        #expect(client.subscriber.backlog.byteCount == 200)
        client.unblock(bytes: 49)
        #expect(client.received() == [])
        client.unblock(bytes: 101)
        #expect(client.received() == ["orders 2", "orders 3"])
        #expect(client.subscriber.backlog.isEmpty)
        #expect(client.subscriber.backlog.byteCount == 0)
    }

    @Test func `takes one event of any size`() throws {
        let client = try blockedClient()
        loop.append(1...1, to: orders, bytes: 5000)
        #expect(client.subscriber.backlog.byteCount == 5000)
        client.unblock()
        #expect(client.received() == ["orders 1"])
    }

    @Test func `never drops a reply`() throws {
        let client = try blockedClient()
        client.subscriber.sendControl(TestFrame.control("reply"))
        loop.append(1...4, to: orders, bytes: 100)
        client.unblock(bytes: 60)
        #expect(client.received().first == "reply")
    }

    @Test func `of replies leaves events their whole budget`() throws {
        let client = try blockedClient()
        client.subscriber.sendControl(TestFrame.control("reply", bytes: 200))
        loop.append(1...3, to: orders, bytes: 100)
        #expect(client.subscriber.backlog.byteCount == 500)
        client.unblock()
        #expect(client.received() == ["reply", "orders 1", "orders 2", "orders 3"])
    }

    @Test func `stays in its bound while a message that has begun is the largest`() throws {
        let client = TestClient(on: loop)
        let names = try (0..<20).map { try TopicName("topic-\($0)") }
        for (id, name) in names.enumerated() {
            _ = try loop.subscribed(
                client, id: Int64(id), patterns: [name.text], at: [(loop.follows(name), 0)])
        }
        client.block()
        loop.append(1...1, to: names[0], bytes: 290)
        client.unblock(bytes: 1)
        for name in names[1...] { loop.append(1...2, to: name, bytes: 100) }
        let backlog = client.subscriber.backlog
        #expect(backlog.byteCount - backlog.controlByteCount <= 300 + 100)
    }
}
