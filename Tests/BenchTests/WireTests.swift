import RepeatableChance
import Testing
import WebSocketCodec

@testable import Bench

@Suite("What a load reads from the wire")
struct WireTests {
    /// Offers bytes in pieces of random sizes.
    private func inPieces(
        _ bytes: [UInt8], _ random: inout SeededGenerator,
        _ offer: (UnsafeRawBufferPointer) -> Void
    ) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(Int.random(in: 1...40, using: &random)))
            rest = rest.dropFirst(piece.count)
            piece.withUnsafeBytes(offer)
        }
    }

    @Test("has every frame whole, however it comes in")
    func frames() throws {
        var random = SeededGenerator()
        let seed = random.seed
        let sent = [0, 1, 125, 126, 300, 70_000].map {
            [UInt8](repeating: UInt8($0 % 251), count: $0)
        }
        let bytes = sent.flatMap { WebSocketFrame.encode(text: $0) }
        for _ in 0..<20 {
            var held = HeldBytes()
            var found: [[UInt8]] = []
            inPieces(bytes, &random) { piece in
                held.offer(piece) { bytes in
                    (try? ServerFrames.scan(bytes) { found.append(Array($1)) }) ?? 0
                }
            }
            #expect(found == sent, "seed \(seed)")
        }
    }

    @Test(
        "is refused where no broker sends it so",
        arguments: [
            [0x01, 0x00], [0x80, 0x00], [0xC1, 0x00], [0x81, 0x80], [0x83, 0x00],
            [0x82, 0x7F, 0xFF, 0, 0, 0, 0, 0, 0, 0],
        ] as [[UInt8]])
    func faults(bytes: [UInt8]) {
        #expect(throws: ServerFrames.Fault.self) {
            try bytes.withUnsafeBytes { bytes throws in
                _ = try ServerFrames.scan(bytes) { _, _ in }
            }
        }
    }

    @Test("has answers of HTTP whole, with and without a body")
    func answers() {
        var random = SeededGenerator()
        let seed = random.seed
        let texts = [
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
            "HTTP/1.1 201 Created\r\ncontent-length: 7\r\nX: y\r\n\r\n{\"a\":1}",
            "HTTP/1.1 429 Too Many Requests\r\nContent-Length:0\r\n\r\n",
            "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}",
        ]
        for _ in 0..<50 {
            var held = HeldBytes()
            var found: [[Int]] = []
            inPieces(Array(texts.joined().utf8), &random) { piece in
                held.offer(piece) { bytes in
                    var start = 0
                    while let answer = HTTPAnswer(
                        UnsafeRawBufferPointer(rebasing: bytes[start...]))
                    {
                        found.append([answer.status, answer.bodyBytes])
                        start += answer.byteCount
                    }
                    return start
                }
            }
            #expect(found == [[101, 0], [201, 7], [429, 0], [201, 2]], "seed \(seed)")
        }
    }

    @Test("counts records of application data, and no others, however they come in")
    func records() {
        var random = SeededGenerator()
        let seed = random.seed
        let records: [(type: UInt8, count: Int)] = [(23, 5), (21, 2), (23, 0), (23, 300), (22, 9)]
        let bytes = records.flatMap { record in
            [record.type, 3, 3, UInt8(record.count >> 8), UInt8(record.count & 0xFF)]
                + [UInt8](repeating: 23, count: record.count)
        }
        for _ in 0..<20 {
            var counter = RecordCounter()
            inPieces(bytes, &random) { counter.passed($0) }
            #expect(counter.count == 3, "seed \(seed)")
        }
    }

    @Test("comes from one address while its ports last, and then from the next")
    func sources() {
        let sources = SourceAddresses(range: 1000...1039, block: 9)
        #expect(sources.ofEach == 30)
        #expect(!sources.areNeeded(for: 30))
        #expect(sources.areNeeded(for: 31))
        #expect(sources.address(of: 0) == "127.9.0.2")
        #expect(sources.address(of: 29) == "127.9.0.2")
        #expect(sources.address(of: 30) == "127.9.0.3")
        #expect(sources.address(of: 30 * 249) == "127.9.1.1")
        #expect(sources.address(of: 30 * 65_000) == nil)
    }
}
