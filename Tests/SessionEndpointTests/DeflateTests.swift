import EventModel
import FanOut
import MemoryLog
import RepeatableChance
import SessionProtocol
import Testing
import WebSocketCodec
import ZlibBridge

@testable import SessionEndpoint

/// Short and long, what becomes shorter and what does not.
private let samples: [String] = {
    var random = SeededGenerator(seed: 7)
    let orders = (1...40).map { #"{"id":\#($0),"item":"book","price":12.50,"note":"ä€𝄞"}"# }
    return ["1", #"{"a":[]}"#, text(1_000, &random), "[" + orders.joined(separator: ",") + "]"]
        + ["\"" + String(repeating: "x", count: 40_000) + "\"", text(40_000, &random)]
        + (1...30).map { #"{"number":\#($0),"text":"\#(String(repeating: "again ", count: $0))"}"# }
}()

/// A JSON text that hardly becomes shorter, of six bits in each byte.
private func text(_ count: Int, _ random: inout SeededGenerator) -> String {
    let characters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    return "\"" + String((0..<count).map { _ in random.pick(characters) }) + "\""
}

@Suite("A WebSocket with permessage-deflate") struct DeflateTests {
    private static let offer = DeflateParameters()

    /// The texts of the next events, batches taken apart, and the longest batch.
    private func events(_ client: TestClient, _ count: Int) async throws -> (
        texts: [String], batchMax: Int
    ) {
        var (events, batchMax): ([String], Int) = ([], 0)
        while events.count < count {
            guard case .message(let text) = try await client.next() else { continue }
            let messages = MessageBatch.messages(of: Array(text.utf8)).map {
                String(decoding: $0, as: UTF8.self)
            }
            events += messages.filter { $0.hasPrefix(#"{"type":"event""#) }
            batchMax = max(batchMax, messages.count)
        }
        return (events, batchMax)
    }

    @Test(arguments: ["/v1/connect", "/v1/connect?batch=1", "/a?from=earliest"])
    func `brings byte for byte what others get, in fewer bytes`(path: String) async throws {
        let node = try TestNode()
        for sample in samples { try await node.publish("a", sample) }
        // First the one for whom the log's thread encodes the page.
        var clients: [TestClient] = []
        var texts: [[String]] = []
        for deflate in [Self.offer, nil] {
            let client = try await TestClient.open(node, path, deflate: deflate)
            #expect(try await client.isDeflated() == (deflate != nil))
            if path != "/a?from=earliest" {
                #expect(try await client.told(1) == ["welcome"])
                client.send(#"{"type":"subscribe","id":1,"topic":"a","from":"earliest"}"#)
            }
            let late = try await events(client, samples.count)
            #expect((late.batchMax > 1) == path.hasSuffix("batch=1"))
            clients.append(client)
            texts.append(late.texts)
        }
        for sample in samples { try await node.publish("a", sample) }
        for (index, client) in clients.enumerated() {
            texts[index] += try await events(client, samples.count).texts
        }
        #expect(texts[0] == texts[1])
        let offsets = texts[0].compactMap { text in
            (try? BrokerMessage.decode(Array(text.utf8)))?.short.split(separator: " ")[1]
        }
        #expect(offsets == (1...2 * samples.count).map { "\($0)" })
        let wires = [try await clients[0].wire().count, try await clients[1].wire().count]
        #expect(wires[0] < wires[1] / 2)
    }

    @Test(arguments: [false, true])
    func `deflates an event once for everybody on a loop`(isBatched: Bool) async throws {
        let node = try TestNode()
        let path = isBatched ? "/v1/connect?batch=1" : "/v1/connect"
        var clients: [TestClient] = []
        for _ in 1...2 {
            let client = try await TestClient.open(node, path, deflate: Self.offer)
            #expect(try await client.told(1) == ["welcome"])
            client.send(#"{"type":"subscribe","id":1,"topic":"a"}"#)
            #expect(try await client.told(2) == ["subscribed 1 a@null", "live 1"])
            clients.append(client)
        }
        let before = [try await clients[0].wire().count, try await clients[1].wire().count]
        try await node.publish("a", samples[3])
        var frames: [[UInt8]] = []
        for (client, count) in zip(clients, before) {
            #expect(try await client.told(1) == ["a 1 \(samples[3])"])
            frames.append(Array(try await client.wire()[count...]))
        }
        #expect(frames[0] == frames[1])
        #expect(frames[0].count < samples[3].utf8.count / 4)
        #expect(frames[0].first == 0xC1)
        // What is shared by who takes the encoding is the deflated message (`FanOut.SharedEvent`).
        #expect(
            Encoding.texts(isDeflated: true, isBatched: isBatched)
                === Encoding.texts(isDeflated: true, isBatched: isBatched))
    }

    @Test func `sends short messages as they are, and deflates the broker's own`() async throws {
        let node = try TestNode()
        let client = try await TestClient.open(node, deflate: Self.offer)
        #expect(try await client.told(1) == ["welcome"])
        let welcome = try await client.wire()
        #expect(welcome.first == 0xC1)
        client.send(#"{"type":"ping","id":1}"#)
        #expect(try await client.told(1) == ["pong 1"])
        #expect(try await client.wire()[welcome.count] == 0x81)
    }

    @Test(arguments: [nil, DeflateParameters(serverMaxWindowBits: 10)])
    func `is not agreed on with who wants none, or a smaller window`(
        offer: DeflateParameters?
    ) async throws {
        let node = try TestNode()
        for path in ["/v1/connect", "/a"] {
            let client = try await TestClient.open(node, path, deflate: offer)
            #expect(try await client.isDeflated() == false)
            if path != "/a" { #expect(try await client.told(1) == ["welcome"]) }
            client.send(#"{"type":"ping","id":1}"#)
            let told = try await client.told(path == "/a" ? 2 : 1)
            #expect(told.contains { $0.hasPrefix("pong") })
            #expect(try await client.wire().first == 0x81)
            client.send(deflated: #"{"type":"ping","id":2}"#)
            #expect(try await client.close() == 1002)
        }
    }

    @Test func `takes deflated messages beside others`() async throws {
        let node = try TestNode()
        let client = try await TestClient.open(node, deflate: Self.offer)
        #expect(try await client.told(1) == ["welcome"])
        client.send(deflated: #"{"type":"subscribe","id":1,"topic":"a"}"#)
        #expect(try await client.told(2) == ["subscribed 1 a@null", "live 1"])
        client.send(#"{"type":"ping","id":2}"#)
        #expect(try await client.told(1) == ["pong 2"])
        client.send(
            deflated: #"{"type":"publish","id":3,"topic":"a","data":\#(samples[5])}"#)
        #expect(try await Set(client.told(2)) == ["published 3 1", "a 1 \(samples[5])"])
    }

    @Test func `takes a message of the limit, and closes with 1009 behind a longer one`()
        async throws
    {
        var limits = Limits()
        limits.messageBytesMax = 100_000
        let node = try TestNode(limits: limits)
        let client = try await TestClient.open(node, deflate: Self.offer)
        #expect(try await client.told(1) == ["welcome"])
        let ping = #"{"type":"ping","id":1}"#
        let blank = String(repeating: " ", count: 100_000 - ping.utf8.count)
        client.send(deflated: blank + ping)
        #expect(try await client.told(1) == ["pong 1"])
        client.send(deflated: " " + blank + ping)
        #expect(try await client.close() == 1009)
    }

    @Test func `holds who has not authenticated to less, inflated`() async throws {
        let node = try TestNode(authenticate: { _, completion in
            completion(.failure(BrokerError(.unauthorized, "bad")))
        })
        let client = try await TestClient.open(node, deflate: Self.offer)
        client.send(deflated: String(repeating: " ", count: 16 << 10 + 1))
        #expect(try await client.close() == 1009)
    }

    @Test func `ends with 1007 for what is not deflated, and for nobody else`() async throws {
        let node = try TestNode()
        let other = try await TestClient.open(node, deflate: Self.offer)
        #expect(try await other.told(1) == ["welcome"])
        let client = try await TestClient.open(node, deflate: Self.offer)
        client.send(compressed: [0xFF, 0xFF])
        #expect(try await client.close() == 1007)
        other.send(deflated: #"{"type":"ping","id":1}"#)
        #expect(try await other.told(1) == ["pong 1"])
    }
}
