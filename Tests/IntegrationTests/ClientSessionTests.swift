import BrokerRuntime
import OpenSSLBridge
import PostgresBridge
import SluiceClient
import Synchronization
import Testing

/// Counts in any task.
private final class Count: Sendable {
    private let count = Mutex(0)

    var now: Int { count.withLock { $0 } }

    func add() { count.withLock { $0 += 1 } }
}

extension EndToEnd {
    @Suite("Several subscriptions of a Swift client") struct ClientSessionTests {
        private func client(
            of broker: TestBroker, tokens: TokenSource? = nil, isCompressed: Bool = false
        ) throws -> BrokerClient {
            try BrokerClient(
                ClientConfiguration(
                    address: try BrokerAddress("https://127.0.0.1:\(broker.port)"),
                    token: broker.token, tokenSource: tokens, caFile: broker.caFile,
                    isCompressed: isCompressed))
        }

        /// Offsets of the next events, which are all of them, in order.
        private func offsets(
            _ count: Int, _ iterator: inout Subscription.Iterator
        ) async throws -> [Int64] {
            var offsets: [Int64] = []
            while offsets.count < count, let item = try await iterator.next() {
                if let event = item.event { offsets.append(event.offset) }
            }
            return offsets
        }

        private func publish(
            _ count: Int, bytes: Int = 1, to topic: String, with client: BrokerClient
        ) async throws {
            let data = [0x22] + [UInt8](repeating: 0x61, count: bytes) + [0x22]
            for _ in 1...count {
                _ = try await client.publish(OutgoingEvent(topic: topic, data: data))
            }
        }

        @Test(.timeLimit(.minutes(3)))
        func `go on exactly when the broker is killed, also those that overlap`() async throws {
            let directory = TestDirectories.make()
            let program = SluiceProgram(connectionFile: directory + "/connection.json")
            func serve(_ address: String) async throws -> SluiceRun {
                let run = try program.start(
                    "serve", "--listen", address, "--data-dir", directory, "--connection-file",
                    program.connectionFile, "--log-level", "error")
                try await eventually("the broker") { run.output.text.contains("is ready at") }
                return run
            }
            var broker = try await serve("https://127.0.0.1:0")
            let connection = try #require(ConnectionFile.read(path: program.connectionFile))
            let client = try BrokerClient(
                ClientConfiguration(
                    address: try BrokerAddress(connection.url), token: connection.token,
                    caFile: connection.caFile))
            let progress = Count()
            let readers = try [["a"], ["b"], ["a", "b"], ["c.>", "b"]].map { topics in
                let subscription = try client.subscribe(to: topics, from: "earliest")
                return Task {
                    var seen: [String: [Int64]] = [:]
                    for try await event in subscription.events {
                        seen[event.topic, default: []].append(event.offset)
                        progress.add()
                        if topics.allSatisfy({ $0 == "c.>" || seen[$0]?.count == 200 }) { break }
                    }
                    return seen
                }
            }
            let publisher = Task {
                for _ in 1...200 {
                    let events = ["a", "b"].map { OutgoingEvent(topic: $0, data: [0x31]) }
                    _ = try await client.publish(events, retryingFor: .seconds(60))
                }
            }
            for count in [200, 500] {
                try await eventually("\(count) events") { progress.now >= count }
                broker.crash()
                _ = try await broker.end()
                broker = try await serve(connection.url)
            }
            try await publisher.value
            for reader in readers {
                for offsets in try await reader.value.values { #expect(offsets == Array(1...200)) }
            }
            broker.interrupt()
            #expect(try await broker.end().status == 0)
        }

        @Test(.timeLimit(.minutes(2)))
        func `are paced one by one: a slow one costs the fast one nothing`() async throws {
            let broker = try await TestBroker.shared
            let client = try client(of: broker)
            let (large, small) = (freshTopic("large"), freshTopic("small"))
            var slow = try client.subscribe(to: [large], from: "earliest").makeAsyncIterator()
            var fast = try client.subscribe(to: [small], from: "earliest").makeAsyncIterator()
            _ = try await slow.next()
            _ = try await fast.next()
            // Far more than a subscription may hold back, and than the socket would.
            try await publish(60, bytes: 500_000, to: large, with: client)
            try await publish(20, to: small, with: client)
            #expect(try await offsets(20, &fast) == Array(1...20))
            #expect(try await offsets(60, &slow) == Array(1...60))
        }

        /// Tokens of three seconds: of another identity each, so the session can't be extended.
        @Test(.timeLimit(.minutes(2)))
        func `outlive their tokens`() async throws {
            let broker = try await TestBroker.shared
            let conninfo = try ManagedConnection.conninfo(dataDirectory: broker.directory)
            let asked = Count()
            let tokens = TokenSource {
                asked.add()
                let database = try PostgresConnection(PostgresConfiguration(conninfo: conninfo))
                defer { database.close() }
                let id = String(Int.random(in: 1_000_000_000...9_999_999_999))
                let secret = String(repeating: "s", count: 40)
                _ = try database.query(
                    """
                    INSERT INTO sluice.tokens(id, name, hash, expires_at)
                    VALUES ($1::text, 'test', $2::bytea, clock_timestamp() + interval '3 s')
                    """, [.text(id), .bytes(Digest.sha256(secret.utf8))])
                return "slc_\(id)_\(secret)"
            }
            let client = try client(of: broker, tokens: tokens)
            let topic = freshTopic()
            var iterator = try client.subscribe(to: [topic], from: "earliest").makeAsyncIterator()
            let publisher = Task {
                var count = 0
                while asked.now < 4 {
                    _ = try await client.publish(
                        OutgoingEvent(topic: topic, data: [0x31]), retryingFor: .seconds(20))
                    count += 1
                    try await Task.sleep(for: .milliseconds(50))
                }
                return count
            }
            let count = try await publisher.value
            #expect(try await offsets(count, &iterator) == Array(1...Int64(count)))
        }

        @Test func `are the same when messages come deflated`() async throws {
            let broker = try await TestBroker.shared
            let client = try client(of: broker, isCompressed: true)
            let topic = freshTopic()
            var iterator = try client.subscribe(to: [topic], from: "earliest").makeAsyncIterator()
            let data = Array(#"{"text": "\#(String(repeating: "Sluice ", count: 500))"}"#.utf8)
            _ = try await client.publish(OutgoingEvent(topic: topic, data: data))
            _ = try await client.publish(OutgoingEvent(topic: topic, data: [0x31]))
            var received: [[UInt8]] = []
            while received.count < 2, let item = try await iterator.next() {
                if let event = item.event { received.append(event.data) }
            }
            #expect(received == [data, [0x31]])
        }
    }
}
