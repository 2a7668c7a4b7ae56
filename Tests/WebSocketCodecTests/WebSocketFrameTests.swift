import Testing
import WebSocketCodec

@Suite("A frame, by sections of RFC 6455") struct WebSocketFrameTests {
    @Test(
        arguments: [
            (0, [0x81, 0x00]), (125, [0x81, 125]), (126, [0x81, 126, 0, 126]),
            (65_535, [0x81, 126, 0xFF, 0xFF]), (65_536, [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] as [(Int, [UInt8])])
    func `5·2 has the shortest length that fits`(length: Int, header: [UInt8]) {
        #expect(WebSocketFrame.header(opcode: .text, payloadLength: length) == header)
        let written = withUnsafeTemporaryAllocation(byteCount: 10, alignment: 1) { place in
            let count = WebSocketFrame.writeHeader(
                opcode: .text, payloadLength: length, to: place)
            return Array(place[..<count])
        }
        #expect(written == header)
        let payload = [UInt8](repeating: 0x61, count: length)
        #expect(WebSocketFrame.encode(text: payload) == header + payload)
    }

    @Test func `5·7 of a client is masked as in the example`() {
        #expect(
            WebSocketFrame.encodeMasked(
                opcode: .text, payload: Array("Hello".utf8), maskingKey: 0x37fa_213d)
                == [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58])
    }

    @Test func `5·4 that is not the last of its message says so`() {
        #expect(
            WebSocketFrame.encode(opcode: .binary, payload: [1], fin: false) == [0x02, 0x01, 0x01])
    }

    @Test func `5·5·1 that closes carries code and reason, cut at a character's end`() {
        #expect(WebSocketFrame.encodeClose(code: nil) == [0x88, 0x00])
        #expect(
            WebSocketFrame.encodeClose(code: 4001, reason: "ab") == [0x88, 4, 0x0F, 0xA1, 97, 98])
        let long = WebSocketFrame.closePayload(
            code: 1000, reason: String(repeating: "ä", count: 100))
        #expect(long.count == 124)
        #expect(String(validating: long[2...], as: UTF8.self) != nil)
    }
}
