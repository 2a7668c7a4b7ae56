import RepeatableChance
import Testing
import WebSocketCodec

/// What a receiver makes of bytes that arrive at once.
private func events(
    _ bytes: [UInt8], role: WebSocketRole = .client, messageBytesMax: Int = 2 << 20
) -> [WebSocketEvent] {
    var receiver = WebSocketReceiver(role: role, messageBytesMax: messageBytesMax)
    var events: [WebSocketEvent] = []
    receiver.receive(bytes, into: &events)
    return events
}

private func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }

private func failure(_ event: WebSocketEvent?) -> UInt16? {
    guard case .failed(let fault) = event else { return nil }
    return fault.closeCode
}

@Suite("A receiver of WebSocket frames, by sections of RFC 6455") struct WebSocketReceiverTests {
    @Test func `5·7 reads the examples`() {
        #expect(events([0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]) == [.text(utf8("Hello"))])
        #expect(
            events(
                [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58], role: .server)
                == [.text(utf8("Hello"))])
        #expect(
            events([0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f]) == [.text(utf8("Hello"))]
        )
        #expect(events([0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]) == [.ping(utf8("Hello"))])
        let binary = [UInt8](repeating: 7, count: 256)
        #expect(events([0x82, 0x7E, 0x01, 0x00] + binary) == [.binary(binary)])
    }

    @Test func `5·4 gives control frames that come between the frames of a message at once`() {
        let bytes =
            WebSocketFrame.encode(opcode: .text, payload: utf8("a"), fin: false)
            + WebSocketFrame.encode(opcode: .ping, payload: utf8("p"))
            + WebSocketFrame.encode(opcode: .continuation, payload: [], fin: false)
            + WebSocketFrame.encode(opcode: .pong, payload: [])
            + WebSocketFrame.encode(opcode: .continuation, payload: utf8("b"))
        #expect(events(bytes) == [.ping(utf8("p")), .pong([]), .text(utf8("ab"))])
    }

    @Test func `5·2 accepts empty messages`() {
        #expect(events([0x81, 0x00, 0x82, 0x00]) == [.text([]), .binary([])])
        #expect(events([0x81, 0x80, 1, 2, 3, 4], role: .server) == [.text([])])
    }

    @Test(
        arguments: [
            ([0xC1, 0x00], "5.2 RSV1"), ([0xA1, 0x00], "5.2 RSV2"), ([0x91, 0x00], "5.2 RSV3"),
            ([0x83, 0x00], "5.2 reserved data opcode"),
            ([0x8B, 0x00], "5.2 reserved control opcode"),
            ([0x09, 0x00], "5.5 fragmented ping"), ([0x08, 0x00], "5.5 fragmented close"),
            ([0x80, 0x00], "5.4 continuation of nothing"), ([0x89, 0x7E], "5.5 long ping"),
            ([0x01, 0x00, 0x81], "5.4 message in a message"),
            ([0x01, 0x00, 0x02], "5.4 binary in a text"),
            ([0x81, 0x80], "5.1 masked by a server"),
            ([0x82, 0x7E, 0x00, 0x7D], "5.2 16 bits for 125"),
            ([0x82, 0x7F, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], "5.2 64 bits for 65535"),
            ([0x82, 0x7F, 0x80, 0, 0, 0, 0, 0, 0, 0], "5.2 top bit of the length"),
            ([0x88, 0x01, 0x03], "5.5.1 half a close code"),
        ] as [([UInt8], String)])
    func `5 refuses what breaks the protocol with 1002`(bytes: [UInt8], what: String) {
        #expect(failure(events(bytes).last) == 1002, "\(what)")
    }

    @Test func `5·1 refuses unmasked frames as a server`() {
        #expect(failure(events([0x81, 0x01], role: .server).last) == 1002)
    }

    @Test(
        arguments: [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] as [UInt16]
    )
    func `7·4 refuses close codes that are not for the wire`(code: UInt16) {
        let frame = WebSocketFrame.encode(
            opcode: .close, payload: [UInt8(code >> 8), UInt8(code & 0xFF)])
        #expect(failure(events(frame).last) == 1002)
    }

    @Test(arguments: [1000, 1001, 1003, 1007, 1011, 1014, 3000, 4001, 4999] as [UInt16])
    func `5·5·1 tells the close code and ignores what comes behind it`(code: UInt16) {
        let bytes =
            WebSocketFrame.encodeClose(code: code, reason: "drän") + [0xFF, 0x81, 0x01, 0x61]
        #expect(events(bytes) == [.close(code: code, reason: "drän")])
        #expect(events([0x88, 0x00, 0x81, 0x00]) == [.close(code: nil, reason: "")])
    }

    @Test func `7·1·7 ignores what comes behind a fault`() {
        var receiver = WebSocketReceiver(role: .client)
        var events: [WebSocketEvent] = []
        receiver.receive([0xFF, 0x81, 0x00], into: &events)
        receiver.receive([0x81, 0x00], into: &events)
        #expect(events.count == 1)
    }

    @Test(
        arguments: [
            [0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x82],
            [0xF0],
            [0x61, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE0, 0x9F, 0xBF], [0xF0, 0x8F, 0xBF, 0xBF],
        ] as [[UInt8]])
    func `8·1 refuses text that is not UTF-8 with 1007`(payload: [UInt8]) {
        #expect(failure(events(WebSocketFrame.encode(text: payload)).last) == 1007)
        let close = WebSocketFrame.encode(opcode: .close, payload: [0x03, 0xE8] + payload)
        #expect(failure(events(close).last) == 1007)
        let binary = WebSocketFrame.encode(opcode: .binary, payload: payload)
        #expect(events(binary) == [.binary(payload)])
    }

    @Test func `refuses wrong UTF-8 before the message ends`() {
        #expect(failure(events([0x01, 0x7E, 0x10, 0x00, 0x61, 0xFF]).last) == 1007)
    }

    @Test func `5·6 joins characters that are split over frames`() {
        let bytes =
            WebSocketFrame.encode(opcode: .text, payload: [0xF0, 0x9D], fin: false)
            + WebSocketFrame.encode(opcode: .continuation, payload: [0x84, 0x9E])
        #expect(events(bytes) == [.text(utf8("𝄞"))])
    }

    @Test func `10·4 refuses a message over the limit when it is announced`() {
        let header = WebSocketFrame.header(opcode: .text, payloadLength: 101)
        #expect(failure(events(header, messageBytesMax: 100).last) == 1009)
        let fits = WebSocketFrame.encode(text: [UInt8](repeating: 0x61, count: 100))
        #expect(events(fits, messageBytesMax: 100).count == 1)
        let second =
            WebSocketFrame.encode(
                opcode: .text, payload: [UInt8](repeating: 0x61, count: 60), fin: false)
            + WebSocketFrame.header(opcode: .continuation, payloadLength: 41)
        #expect(failure(events(second, messageBytesMax: 100).last) == 1009)
        let huge: [UInt8] = [0x82, 0x7F, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]
        #expect(failure(events(huge).last) == 1009)
    }

    @Test func `is small`() {
        #expect(MemoryLayout<WebSocketReceiver>.size < 100)
    }
}

@Suite("A receiver of random bytes") struct WebSocketReceiverFuzzTests {
    /// Frames of a conversation, and the events they stand for.
    private func conversation(
        role: WebSocketRole, _ generator: inout SeededGenerator
    ) -> (bytes: [UInt8], events: [WebSocketEvent]) {
        var bytes: [UInt8] = []
        var events: [WebSocketEvent] = []
        for _ in 0..<Int.random(in: 1...6, using: &generator) {
            let isText = Bool.random(using: &generator)
            let size = [0, 3, 125, 126, 400, 65_535, 65_536].randomElement(using: &generator) ?? 0
            let payload: [UInt8] =
                isText
                ? (0..<size / 3).flatMap { _ in
                    utf8("ä€𝄞a".map { String($0) }.randomElement(using: &generator) ?? "")
                }
                : (0..<size).map { UInt8(truncatingIfNeeded: $0) }
            let cut = Int.random(in: 0...payload.count, using: &generator)
            let ping = (0..<Int.random(in: 0...125, using: &generator)).map { UInt8($0) }
            bytes += frame(
                isText ? .text : .binary, Array(payload[..<cut]), false, role, &generator)
            bytes += frame(.ping, ping, true, role, &generator)
            bytes += frame(.continuation, Array(payload[cut...]), true, role, &generator)
            events += [.ping(ping), isText ? .text(payload) : .binary(payload)]
        }
        return (bytes, events)
    }

    private func frame(
        _ opcode: WebSocketOpcode, _ payload: [UInt8], _ fin: Bool, _ role: WebSocketRole,
        _ generator: inout SeededGenerator
    ) -> [UInt8] {
        guard role == .server else {
            return WebSocketFrame.encode(opcode: opcode, payload: payload, fin: fin)
        }
        return WebSocketFrame.encodeMasked(
            opcode: opcode, payload: payload,
            maskingKey: UInt32.random(in: 0 ... .max, using: &generator), fin: fin)
    }

    /// Receives in pieces of random sizes.
    private func receive(
        _ bytes: [UInt8], role: WebSocketRole, _ generator: inout SeededGenerator
    ) -> [WebSocketEvent] {
        var receiver = WebSocketReceiver(role: role, messageBytesMax: 1 << 20)
        var events: [WebSocketEvent] = []
        var start = 0
        while start < bytes.count {
            let most = [1, 2, 5, 100, 70_000].randomElement(using: &generator) ?? 1
            let end = min(bytes.count, start + Int.random(in: 1...most, using: &generator))
            receiver.receive(Array(bytes[start..<end]), into: &events)
            start = end
        }
        return events
    }

    @Test(arguments: [WebSocketRole.server, .client])
    func `gives the same events wherever the bytes are split`(role: WebSocketRole) {
        var generator = SeededGenerator()
        for _ in 0..<12 {
            let (bytes, expected) = conversation(role: role, &generator)
            let events = receive(bytes, role: role, &generator)
            #expect(events == expected, "seed \(generator.seed)")
        }
    }

    @Test(arguments: [WebSocketRole.server, .client])
    func `never crashes, and says nothing after its end`(role: WebSocketRole) {
        var generator = SeededGenerator()
        for _ in 0..<400 {
            var bytes = frame(.text, utf8("häl"), false, role, &generator)
            bytes += frame(.ping, [1, 2], true, role, &generator)
            bytes += frame(.continuation, utf8("lo"), true, role, &generator)
            bytes += frame(.close, [0x03, 0xE8, 0x61], true, role, &generator)
            for _ in 0..<Int.random(in: 0...3, using: &generator) {
                let index = Int.random(in: bytes.indices, using: &generator)
                bytes[index] = UInt8.random(in: 0...255, using: &generator)
            }
            bytes.removeLast(Int.random(in: 0..<bytes.count, using: &generator))
            let events = receive(bytes, role: role, &generator)
            let ends = events.indices.filter { index in
                switch events[index] {
                case .close, .failed: true
                case .text, .binary, .ping, .pong: false
                }
            }
            #expect(ends.allSatisfy { $0 == events.count - 1 }, "seed \(generator.seed)")
        }
    }
}
