import RepeatableChance
import Testing
import WebSocketCodec
import ZlibBridge

private func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }

/// What a client's receiver makes of bytes that arrive at once.
private func events(
    _ bytes: [UInt8], keepsContext: Bool = false, messageBytesMax: Int = 2 << 20
) -> [WebSocketEvent] {
    var receiver = WebSocketReceiver(
        role: .client, messageBytesMax: messageBytesMax,
        inflater: Inflater(keepsContext: keepsContext))
    var events: [WebSocketEvent] = []
    receiver.receive(bytes, into: &events)
    return events
}

private func closeCode(_ events: [WebSocketEvent]) -> UInt16? {
    guard case .failed(let fault) = events.last else { return nil }
    return fault.closeCode
}

private let hello: [UInt8] = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]

@Suite("A receiver of compressed messages") struct CompressedMessageTests {
    @Test(
        arguments: [
            ("7.2.3.1, one frame", [0xC1, 0x07, 0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]),
            (
                "7.2.3.1, two frames",
                [0x41, 0x03, 0xF2, 0x48, 0xCD, 0x80, 0x04, 0xC9, 0xC9, 0x07, 0x00]
            ),
            (
                "7.2.3.3",
                [
                    0xC1, 0x0B, 0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00,
                ]
            ),
            ("7.2.3.4", [0xC1, 0x08, 0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00]),
            (
                "7.2.3.5",
                [
                    0xC1, 0x0D, 0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9,
                    0x07, 0x00,
                ]
            ),
            (
                "7.2.3.6",
                [0x41, 0x07, 0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x80, 0x05]
                    + [0x00, 0x00, 0xFF, 0xFF, 0x00]
            ),
        ] as [(String, [UInt8])])
    func `7·2·3 reads the examples`(section: String, frames: [UInt8]) {
        #expect(events(frames) == [.text(utf8("Hello"))], "\(section)")
    }

    @Test func `7·2·3·2 reads what refers to an earlier message, if that was agreed on`() {
        let frames = [0xC1, 0x07] + hello + [0xC1, 0x05, 0xF2, 0x00, 0x11, 0x00, 0x00]
        #expect(
            events(frames, keepsContext: true) == [.text(utf8("Hello")), .text(utf8("Hello"))])
        #expect(closeCode(events(frames)) == 1007)
    }

    @Test func `6 takes messages that are not compressed beside those that are`() {
        let frames =
            WebSocketFrame.encode(text: utf8("a"))
            + WebSocketFrame.encode(opcode: .binary, payload: hello, isCompressed: true)
            + WebSocketFrame.encode(opcode: .text, payload: utf8("b"), fin: false)
            + WebSocketFrame.encode(opcode: .continuation, payload: utf8("c"))
            + WebSocketFrame.encode(text: [0x00], isCompressed: true)
        #expect(
            events(frames) == [
                .text(utf8("a")), .binary(utf8("Hello")), .text(utf8("bc")), .text([]),
            ])
    }

    @Test func `6 takes control frames between the frames of a compressed message`() {
        let frames =
            WebSocketFrame.encode(
                opcode: .text, payload: Array(hello[..<3]), fin: false, isCompressed: true)
            + WebSocketFrame.encode(opcode: .ping, payload: utf8("p"))
            + WebSocketFrame.encode(opcode: .continuation, payload: [], fin: false)
            + WebSocketFrame.encode(opcode: .continuation, payload: Array(hello[3...]))
        #expect(events(frames) == [.ping(utf8("p")), .text(utf8("Hello"))])
    }

    @Test(
        arguments: [
            ([0xC8, 0x00], "close"), ([0xC9, 0x00], "ping"), ([0xCA, 0x00], "pong"),
            ([0x41, 0x01, 0x00, 0xC0, 0x00], "last frame"),
            ([0x41, 0x01, 0x00, 0x40, 0x00], "frame between"),
            ([0x01, 0x00, 0xC0, 0x00], "last frame of a message that is not compressed"),
            ([0xE1, 0x00], "RSV2"), ([0xD1, 0x00], "RSV3"),
        ] as [([UInt8], String)])
    func `6 refuses RSV1 but on a message's first frame, and other bits`(
        frames: [UInt8], what: String
    ) {
        #expect(closeCode(events(frames)) == 1002, "\(what)")
    }

    @Test func `6 refuses RSV1 where compression was not agreed on`() {
        var receiver = WebSocketReceiver(role: .client)
        var events: [WebSocketEvent] = []
        receiver.receive([0xC1, 0x07] + hello, into: &events)
        #expect(closeCode(events) == 1002)
    }

    @Test(
        arguments: [
            [], [0xFF, 0xFF], [0xF2, 0x48], [0x00, 0x05, 0x00, 0x00, 0x00],
            [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00],
        ] as [[UInt8]])
    func `7·2·2 refuses what can't be inflated with 1007`(payload: [UInt8]) {
        let frame = WebSocketFrame.encode(opcode: .binary, payload: payload, isCompressed: true)
        #expect(closeCode(events(frame)) == 1007)
    }

    @Test(
        arguments: [[0xFF], [0x61, 0xED, 0xA0, 0x80], [0x61, 0xE2, 0x82]] as [[UInt8]])
    func `RFC 6455 8·1 checks text once it is inflated`(text: [UInt8]) {
        let payload = Deflater().deflate(text)
        #expect(closeCode(events(WebSocketFrame.encode(text: payload, isCompressed: true))) == 1007)
        let binary = WebSocketFrame.encode(opcode: .binary, payload: payload, isCompressed: true)
        #expect(events(binary) == [.binary(text)])
    }

    @Test func `takes messages of up to the limit, however they are deflated`() {
        var generator = SeededGenerator()
        let noise = (0..<1000).map { _ in UInt8(generator.pick(0...255)) }
        for message in [noise, [UInt8](repeating: 7, count: 1000)] {
            let frame = WebSocketFrame.encode(
                opcode: .binary, payload: Deflater().deflate(message), isCompressed: true)
            #expect(events(frame, messageBytesMax: 1000) == [.binary(message)])
            #expect(closeCode(events(frame, messageBytesMax: 999)) == 1009)
        }
    }

    @Test func `refuses a bomb, and a payload that is over the limit as it is, with 1009`() {
        let bomb = Deflater(level: 9).deflate([UInt8](repeating: 0, count: 8 << 20))
        let frame = WebSocketFrame.encode(opcode: .binary, payload: bomb, isCompressed: true)
        #expect(closeCode(events(frame, messageBytesMax: 1 << 20)) == 1009)
        let announced = WebSocketFrame.header(
            opcode: .binary, payloadLength: 1200, isCompressed: true)
        #expect(closeCode(events(announced, messageBytesMax: 1000)) == 1009)
    }

    @Test func `gives the same events wherever frames and bytes are split`() {
        var generator = SeededGenerator()
        let deflater = Deflater(keepsContext: true)
        let inflater = Inflater(keepsContext: true)
        var receiver = WebSocketReceiver(role: .server, inflater: inflater)
        for round in 0..<50 {
            let text = (0..<generator.pick(0...300)).flatMap { _ in
                utf8(generator.pick(["ä", "€", "𝄞", "topic", "event"]))
            }
            let isCompressed = generator.chance(70)
            let payload = isCompressed ? deflater.deflate(text) : text
            let cut = generator.pick(0...payload.count)
            let bytes =
                WebSocketFrame.encodeMasked(
                    opcode: .text, payload: Array(payload[..<cut]), maskingKey: 0x37FA_213D,
                    fin: false, isCompressed: isCompressed)
                + WebSocketFrame.encodeMasked(
                    opcode: .continuation, payload: Array(payload[cut...]), maskingKey: 7)
            var events: [WebSocketEvent] = []
            var start = 0
            while start < bytes.count {
                let end = min(bytes.count, start + generator.pick(1...100))
                receiver.receive(Array(bytes[start..<end]), into: &events)
                start = end
            }
            #expect(events == [.text(text)], "round \(round), seed \(generator.seed)")
        }
    }
}

@Suite("A connection that compresses") struct CompressingConnectionTests {
    private static let long = utf8(String(repeating: "an event like the one before; ", count: 20))

    private func terms(keepsContext: Bool, bits: Int = 15) -> DeflateTerms {
        DeflateTerms(
            serverKeepsContext: keepsContext, clientKeepsContext: keepsContext,
            serverWindowBits: bits, clientWindowBits: bits)
    }

    private func side(_ role: WebSocketRole, _ terms: DeflateTerms) -> ConnectionSide {
        ConnectionSide(
            role, messageBytesMax: 1 << 20, compression: MessageCompression(terms, role: role))
    }

    private func frames(_ actions: [ConnectionSide.Action]) -> [[UInt8]] {
        actions.compactMap { if case .send(let frame) = $0 { frame } else { nil } }
    }

    @Test(arguments: [WebSocketRole.server, .client], [true, false])
    func `is understood by the other side`(role: WebSocketRole, keepsContext: Bool) {
        for bits in [8, 9, 12, 15] {
            let terms = terms(keepsContext: keepsContext, bits: bits)
            var sender = side(role, terms)
            var receiver = side(role == .server ? .client : .server, terms)
            for _ in 0..<3 {
                let text = frames(sender.sends(String(decoding: Self.long, as: UTF8.self)))
                #expect(text[0][0] == 0xC1)
                #expect(text[0].count < Self.long.count / 2)
                #expect(receiver.receives(text[0]) == [.text(Self.long)])
                let binary = frames(sender.sends(binary: Self.long))
                #expect(binary[0][0] == 0xC2)
                #expect(receiver.receives(binary[0]) == [.binary(Self.long)])
            }
        }
    }

    @Test func `says less about what it has said before, if it keeps context`() {
        let text = String(decoding: Self.long, as: UTF8.self)
        var keeping = side(.client, terms(keepsContext: true))
        let kept = [keeping.sends(text), keeping.sends(text)].flatMap(frames)
        #expect(kept[1].count < kept[0].count / 2)
        var anew = side(.client, terms(keepsContext: false))
        #expect(anew.sends(text) == anew.sends(text))
    }

    @Test func `sends as it is what is short, what does not become shorter, and control frames`() {
        var generator = SeededGenerator()
        var side = side(.server, terms(keepsContext: false))
        #expect(side.sends("short") == [.send(side.own(.text, "short"))])
        let noise = (0..<500).map { _ in UInt8(generator.pick(0...255)) }
        #expect(side.sends(binary: noise) == [.send(side.own(.binary, noise))])
        let ping = side.peer(.ping, [UInt8](repeating: 7, count: 125))
        #expect(frames(side.receives(ping)).map { $0[0] } == [0x8A])
        #expect(frames(side.closes(1000)).map { $0[0] } == [0x88])
    }

    @Test func `shares what inflates and deflates with others, if no context is kept`() {
        let shared = MessageCompression(deflater: Deflater(), inflater: Inflater())
        let peer = Deflater()
        var sides = (0..<2).map { _ in
            ConnectionSide(.client, messageBytesMax: 1 << 20, compression: shared)
        }
        let frame = WebSocketFrame.encode(text: peer.deflate(Self.long), isCompressed: true)
        // The second's message comes while half of the first's is there.
        sides[0].arrive(Array(frame[..<20]))
        #expect(sides[1].receives(frame) == [.text(Self.long)])
        #expect(sides[1].sends("short").count == 1)
        #expect(sides[0].receives(Array(frame[20...])) == [.text(Self.long)])
    }

    @Test func `holds little more than one that does not`() {
        // Two references and a threshold; what they refer to is shared.
        #expect(MemoryLayout<MessageCompression>.size == 24)
        #expect(MemoryLayout<WebSocketReceiver>.size < 100)
        #expect(MemoryLayout<WebSocketConnection>.size < 512)
    }
}

@Suite("A payload put together of others") struct DeflatedTextTests {
    private let deflater = Deflater()
    private let inflater = Inflater()

    private func text(_ payload: [UInt8]) throws -> String {
        String(decoding: try inflater.inflate(payload, bytesMax: 1 << 20), as: UTF8.self)
    }

    @Test func `is what they and the bytes between them say`() throws {
        var joined = DeflatedText()
        #expect(try text(joined.payload) == "")
        joined.append(stored: utf8("["))
        joined.append(deflater.deflate(utf8("one and one and one")))
        joined.append(stored: utf8(", "))
        joined.append(stored: utf8("as it is, "))
        joined.append(deflater.deflate([]))
        joined.append(deflater.deflate(utf8("two and two")))
        #expect(try text(joined.payload) == "[one and one and one, as it is, two and two")
        joined.append(stored: [])
        joined.append(stored: utf8("]"))
        #expect(try text(joined.payload) == "[one and one and one, as it is, two and two]")
    }

    @Test func `holds stored bytes of any length`() throws {
        for count in [1, 65_535, 65_536, 200_000] {
            var joined = DeflatedText()
            joined.append(stored: [UInt8](repeating: 0x61, count: count))
            #expect(try text(joined.payload) == String(repeating: "a", count: count))
            #expect(joined.payload.count <= count + 5 * (count / 65_535 + 1) + 2)
        }
    }

    @Test func `is an array for 6 bytes more than its payloads, and 5 for each comma`() throws {
        let array = DeflatedText.array
        #expect(array.begin == [0x00, 0x01, 0x00, 0xFE, 0xFF, 0x5B])
        #expect(array.separator == [0x01, 0x00, 0xFE, 0xFF, 0x2C])
        #expect(array.end == [0x01, 0x00, 0xFE, 0xFF, 0x5D, 0x00])
        let events = [#"{"offset":1}"#, #"{"offset":2}"#, #"{"offset":3}"#]
        let payloads = events.map { deflater.deflate(utf8($0)) }
        let joined = array.begin + payloads.joined(separator: array.separator) + array.end
        #expect(try text(joined) == "[" + events.joined(separator: ",") + "]")
        #expect(try text(array.begin + payloads[0] + array.end) == "[\(events[0])]")
    }
}

@Suite("A deflater for any thread") struct SharedDeflaterTests {
    private let deflater = SharedDeflater()

    @Test func `deflates what becomes shorter, on many threads at once`() async {
        await withTaskGroup { group in
            for number in 1...8 {
                group.addTask { [deflater] in
                    let inflater = Inflater()
                    for count in 0..<50 {
                        let message = utf8(String(repeating: "event \(number) ", count: count))
                        let (bytes, isCompressed) = deflater.payload(of: message)
                        #expect(isCompressed == (message.count >= 128))
                        guard isCompressed else { continue }
                        #expect(bytes.count < message.count)
                        #expect((try? inflater.inflate(bytes, bytesMax: 1 << 20)) == message)
                    }
                }
            }
        }
    }

    @Test func `makes pieces of everything, to be joined`() throws {
        var generator = SeededGenerator()
        let noise = (0..<70_000).map { _ in UInt8(generator.pick(0...255)) }
        let messages = [utf8("short"), noise, utf8(String(repeating: "long ", count: 100))]
        let pieces = messages.map(deflater.piece)
        let array = DeflatedText.array
        let joined = array.begin + pieces.joined(separator: array.separator) + array.end
        let inflated = try Inflater().inflate(joined, bytesMax: 1 << 20)
        #expect(inflated == utf8("[") + messages.joined(separator: utf8(",")) + utf8("]"))
        for (message, piece) in zip(messages, pieces) {
            #expect(try Inflater().inflate(piece, bytesMax: 1 << 20) == message)
        }
        #expect(pieces[0].count == 5 + 6)
    }
}
