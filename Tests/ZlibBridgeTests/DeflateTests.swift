import RepeatableChance
import Testing
import ZlibBridge

private func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }

/// Messages of all kinds: empty, short, with far and near repetitions, and of pure chance.
private func messages(_ generator: inout SeededGenerator) -> [[UInt8]] {
    let noise = (0..<70_000).map { _ in UInt8(generator.pick(0...255)) }
    let far = Array(noise[..<40_000]) + Array(noise[..<40_000])
    let words = (0..<9000).flatMap { _ in utf8(generator.pick(["topic", "event", "offset", "{"])) }
    let zeros = [UInt8](repeating: 0, count: 1 << 20)
    return [[], utf8("a"), utf8("Hello"), words, far, noise, zeros, [], []]
}

@Suite("A deflater and an inflater") struct DeflateTests {
    @Test(arguments: [1, 6, 9], [true, false])
    func `give back every message`(level: Int, keepsContext: Bool) throws {
        var generator = SeededGenerator()
        let deflater = Deflater(level: level, keepsContext: keepsContext)
        let inflater = Inflater(keepsContext: keepsContext)
        for message in messages(&generator) {
            let payload = deflater.deflate(message)
            let back = try inflater.inflate(payload, bytesMax: message.count)
            #expect(back == message, "seed \(generator.seed)")
        }
    }

    @Test(arguments: 8...15) func `agree on a window of any size`(bits: Int) throws {
        var generator = SeededGenerator()
        for level in [1, 6, 9] {
            let deflater = Deflater(level: level, windowBits: bits, keepsContext: true)
            let inflater = Inflater(windowBits: bits, keepsContext: true)
            for message in messages(&generator) {
                let back = try inflater.inflate(deflater.deflate(message), bytesMax: 1 << 20)
                #expect(back == message, "seed \(generator.seed)")
            }
        }
    }

    @Test func `make shorter what repeats, and with context what repeats an earlier message`() {
        let message = utf8(#"{"topic":"orders.eu.created","offset":7}"#)
        let alone = Deflater()
        #expect(alone.deflate(message) == alone.deflate(message))
        let joint = Deflater(keepsContext: true)
        #expect(joint.deflate(message) == alone.deflate(message))
        #expect(joint.deflate(message).count < 10)
    }

    @Test func `make payloads without context that follow on one another`() throws {
        let deflater = Deflater()
        let tail: [UInt8] = [0x00, 0x00, 0xFF, 0xFF]
        let parts = ["one and one", "", "two and two"].map(utf8)
        let payloads = parts.map(deflater.deflate)
        let joined = Array(payloads.joined(separator: tail))
        #expect(try Inflater().inflate(joined, bytesMax: 100) == Array(parts.joined()))
    }
}

@Suite("An inflater") struct InflaterTests {
    private let inflater = Inflater()

    @Test(
        arguments: [
            ([0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00], "7.2.3.1"),
            ([0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00], "7.2.3.3"),
            ([0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00], "7.2.3.4"),
            (
                [0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00],
                "7.2.3.5"
            ),
        ] as [([UInt8], String)])
    func `reads the examples of RFC 7692`(payload: [UInt8], section: String) throws {
        #expect(try inflater.inflate(payload, bytesMax: 5) == utf8("Hello"), "\(section)")
        let keeping = Inflater(keepsContext: true)
        #expect(try keeping.inflate(payload, bytesMax: 5) == utf8("Hello"), "\(section)")
        // 7.2.3.2: the second message repeats the first.
        let again: [UInt8] = [0xF2, 0x00, 0x11, 0x00, 0x00]
        #expect(try keeping.inflate(again, bytesMax: 5) == utf8("Hello"), "\(section)")
    }

    @Test func `takes an empty message, however it is deflated`() throws {
        for payload in [[0x00], [0x02, 0x00], [0x03, 0x00, 0x00]] as [[UInt8]] {
            #expect(try inflater.inflate(payload, bytesMax: 0) == [])
        }
    }

    @Test(
        arguments: [
            ([], "nothing at all"), ([0xFF, 0xFF, 0xFF, 0xFF], "a reserved kind of block"),
            ([0x00, 0x05, 0x00, 0x00, 0x00], "a length without its complement"),
            ([0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48], "half a stored block"),
            ([0xF2, 0x48, 0xCD, 0xC9], "half a block"),
            ([0xF2, 0x00, 0x11, 0x00, 0x00], "a reference to an earlier message"),
            ([0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00], "a last block, and no other behind it"),
        ] as [([UInt8], String)])
    func `refuses what is not deflated`(payload: [UInt8], what: String) throws {
        #expect(throws: InflateError.invalid, "\(what)") {
            try inflater.inflate(payload, bytesMax: 100)
        }
        // And takes the next as if nothing had been.
        let hello: [UInt8] = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]
        #expect(try inflater.inflate(hello, bytesMax: 100) == utf8("Hello"))
    }

    @Test func `stops at the limit, whatever is behind it`() throws {
        let bomb = Deflater(level: 9).deflate([UInt8](repeating: 0, count: 64 << 20))
        #expect(bomb.count < 100 << 10)
        #expect(throws: InflateError.tooLong) { try inflater.inflate(bomb, bytesMax: 1 << 20) }
        #expect(throws: InflateError.tooLong) {
            try inflater.inflate(bomb, bytesMax: (64 << 20) - 1)
        }
        // What is behind the limit is not read, so it is not found to be invalid.
        let broken = Array(bomb.dropLast(10)) + [UInt8](repeating: 0xFF, count: 10)
        #expect(throws: InflateError.tooLong) { try inflater.inflate(broken, bytesMax: 1 << 20) }
        let block = Deflater().deflate([UInt8](repeating: 7, count: 16 << 10))
        #expect(try inflater.inflate(block, bytesMax: 16 << 10).count == 16 << 10)
    }

    @Test func `holds no more than the limit`() throws {
        let deflater = Deflater()
        for count in [100, 16 << 10, 300_000] {
            let payload = deflater.deflate([UInt8](repeating: 7, count: count))
            let message = try inflater.inflate(payload, bytesMax: count)
            // What malloc rounds a size up by.
            #expect(message.capacity <= count + count / 4 + 64)
        }
    }

    @Test func `never crashes`() {
        var generator = SeededGenerator()
        let deflater = Deflater(level: 6)
        let text = (0..<2000).flatMap { _ in utf8(generator.pick(["topic", "event", "{"])) }
        let payload = deflater.deflate(text)
        for _ in 0..<2000 {
            var broken = payload
            for _ in 0..<generator.pick(1...4) {
                broken[generator.pick(0...broken.count - 1)] = UInt8(generator.pick(0...255))
            }
            let message = try? inflater.inflate(broken, bytesMax: 20_000)
            #expect((message?.count ?? 0) <= 20_000, "seed \(generator.seed)")
        }
    }
}
