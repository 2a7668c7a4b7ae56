import Testing
import WebSocketCodec

private let roles: [WebSocketRole] = [.server, .client]

private func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }

/// What frames of the peer lead to, in one read.
private func failure(_ role: WebSocketRole, _ frames: [UInt8]) -> UInt16? {
    var side = ConnectionSide(role, messageBytesMax: 1 << 20)
    for action in side.receives(frames) {
        if case .ended(.failed(let fault)) = action { return fault.closeCode }
    }
    return nil
}

/// The peer's frame with a first byte of the test's.
private func frame(of side: ConnectionSide, first: UInt8, _ payload: [UInt8] = []) -> [UInt8] {
    var bytes = side.peer(.binary, payload)
    bytes[0] = first
    return bytes
}

@Suite("Frames, by sections of RFC 6455") struct FramingRulesTests {
    @Test func `5·1 a client masks every frame, and a server none`() {
        for role in roles {
            var side = ConnectionSide(role)
            var actions = side.sends("a") + side.sends(binary: []) + side.receives(side.peer(.ping))
            actions += side.closes(1000)
            let masked = actions.compactMap { action -> Bool? in
                guard case .send(let frame) = action else { return nil }
                return frame[1] & 0x80 != 0
            }
            #expect(masked == Array(repeating: role == .client, count: 4))
        }
    }

    @Test(arguments: WebSocketRole.both, [0x81, 0x82, 0x88, 0x89, 0x8A] as [UInt8])
    func `5·1 a frame of the peer that is masked as ours fails`(role: WebSocketRole, first: UInt8) {
        let wrong: UInt8 = role == .server ? 0x00 : 0x80
        #expect(failure(role, [first, wrong]) == 1002)
    }

    @Test(arguments: WebSocketRole.both, [0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70] as [UInt8])
    func `5·2 reserved bits fail on every frame`(role: WebSocketRole, bits: UInt8) {
        let side = ConnectionSide(role)
        for opcode in [0x1, 0x2, 0x8, 0x9, 0xA] as [UInt8] {
            #expect(failure(role, frame(of: side, first: 0x80 | bits | opcode)) == 1002)
        }
        let begun = side.peerFragment(.text, utf8("a"))
        #expect(failure(role, begun + frame(of: side, first: 0x80 | bits)) == 1002)
    }

    @Test(arguments: WebSocketRole.both, Array(3...7) + Array(0xB...0xF) as [UInt8])
    func `5·2 reserved opcodes fail`(role: WebSocketRole, opcode: UInt8) {
        let side = ConnectionSide(role)
        #expect(failure(role, frame(of: side, first: 0x80 | opcode)) == 1002)
        #expect(failure(role, frame(of: side, first: opcode)) == 1002)
    }

    @Test(arguments: [0, 1, 125, 126, 127, 65_535, 65_536])
    func `5·2 lengths are read as they are written`(length: Int) {
        for role in roles {
            var side = ConnectionSide(role, messageBytesMax: 1 << 20)
            let payload = (0..<length).map { UInt8(truncatingIfNeeded: $0) }
            #expect(side.receives(side.peer(.binary, payload)) == [.binary(payload)])
        }
    }

    @Test(
        arguments: [
            [126, 0, 0], [126, 0, 125], [127, 0, 0, 0, 0, 0, 0, 0, 125],
            [127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], [127, 0x80, 0, 0, 0, 0, 0, 0, 1],
            [127, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        ] as [[UInt8]])
    func `5·2 lengths that are not the shortest, or negative, fail`(length: [UInt8]) {
        #expect(failure(.client, [0x82] + length) == 1002)
        #expect(failure(.server, [0x82, length[0] | 0x80] + length.dropFirst()) == 1002)
    }

    @Test func `5·3 a client's every frame has a key of its own`() {
        var connection = WebSocketConnection.client(
            messageBytesMax: 100,
            silence: SilenceWatch(silenceMax: .seconds(40), now: ConnectionSide.start),
            maskingKeys: SystemRandomNumberGenerator())
        var actions: [WebSocketConnection.Action] = []
        for _ in 0..<100 { connection.send(text: [], into: &actions) }
        let keys = actions.compactMap { action -> [UInt8]? in
            guard case .send(let frame) = action else { return nil }
            return Array(frame[2...])
        }
        // A hundred keys of 32 bits: two equal ones once in a million runs.
        #expect(keys.count == 100)
        #expect(Set(keys).count >= 99)
    }

    @Test func `5·3 masking is undone wherever the bytes are split`() {
        let payload = (0..<23).map { UInt8($0) }
        let side = ConnectionSide(.server)
        let bytes = side.peer(.binary, payload)
        for first in 0..<bytes.count {
            for second in first..<bytes.count {
                var side = ConnectionSide(.server)
                var actions = side.receives(Array(bytes[..<first]))
                actions += side.receives(Array(bytes[first..<second]))
                actions += side.receives(Array(bytes[second...]))
                #expect(actions == [.binary(payload)])
            }
        }
    }

    @Test(arguments: WebSocketRole.both)
    func `5·4 a message is its frames joined, of the first one's kind`(role: WebSocketRole) {
        var side = ConnectionSide(role)
        let actions = side.receives(
            side.peerFragment(.text), side.peerFragment(.continuation, utf8("He")),
            side.peer(.ping, "p"), side.peerFragment(.continuation),
            side.peer(.pong), side.peer(.continuation, "llo"), side.peerFragment(.binary, [1]),
            side.peer(.continuation))
        #expect(
            actions == [.send(side.own(.pong, "p")), .text(utf8("Hello")), .binary([1])])
    }

    @Test(arguments: WebSocketRole.both)
    func `5·4 frames out of order fail`(role: WebSocketRole) {
        let side = ConnectionSide(role)
        let begun = side.peerFragment(.text, utf8("a"))
        #expect(failure(role, side.peer(.continuation)) == 1002)
        #expect(failure(role, side.peerFragment(.continuation)) == 1002)
        #expect(failure(role, side.peer(.text) + side.peer(.continuation)) == 1002)
        #expect(failure(role, begun + side.peer(.continuation) + side.peer(.continuation)) == 1002)
        for opcode in [WebSocketOpcode.text, .binary] {
            #expect(failure(role, begun + side.peer(opcode)) == 1002)
            #expect(failure(role, begun + side.peerFragment(opcode)) == 1002)
        }
    }

    @Test(arguments: WebSocketRole.both, [WebSocketOpcode.close, .ping, .pong])
    func `5·5 control frames that are long or fragmented fail`(
        role: WebSocketRole, opcode: WebSocketOpcode
    ) {
        let side = ConnectionSide(role)
        #expect(failure(role, side.peerFragment(opcode)) == 1002)
        let long = [UInt8](repeating: 0x61, count: 126)
        #expect(failure(role, side.peer(opcode, long)) == 1002)
    }

    @Test(arguments: WebSocketRole.both, [0, 1, 124, 125])
    func `5·5·2 a ping is answered with its own bytes, also inside a message`(
        role: WebSocketRole, count: Int
    ) {
        let bytes = (0..<count).map { UInt8($0) }
        var side = ConnectionSide(role)
        #expect(side.receives(side.peer(.ping, bytes)) == [.send(side.own(.pong, bytes))])
        _ = side.receives(side.peerFragment(.text, utf8("a")))
        #expect(side.receives(side.peer(.ping, bytes)) == [.send(side.own(.pong, bytes))])
        #expect(side.receives(side.peer(.continuation, "b")) == [.text(utf8("ab"))])
    }

    @Test(arguments: WebSocketRole.both)
    func `5·5·3 a pong that nobody asked for is not answered`(role: WebSocketRole) {
        var side = ConnectionSide(role)
        let pong = side.peer(.pong, "unasked")
        #expect(side.receives(pong, pong, side.peer(.text)) == [.text([])])
    }

    @Test(arguments: WebSocketRole.both)
    func `5·6 text may be split inside its characters`(role: WebSocketRole) {
        let text = utf8("κόσμε €𝄞\u{7FF}\u{800}\u{FFFF}\u{10000}\u{10FFFF}")
        for cut in 0...text.count {
            var side = ConnectionSide(role)
            let actions = side.receives(
                side.peerFragment(.text, Array(text[..<cut])),
                side.peer(.continuation, Array(text[cut...])))
            #expect(actions == [.text(text)])
        }
    }

    @Test func `5·6 binary messages are any bytes`() {
        let bytes = (0...255).map { UInt8($0) }
        var side = ConnectionSide(.server, messageBytesMax: 256)
        #expect(side.receives(side.peer(.binary, bytes)) == [.binary(bytes)])
    }
}

extension WebSocketRole {
    static let both: [WebSocketRole] = [.server, .client]
}

extension ConnectionSide {
    /// A frame of the peer that is not the last of its message.
    func peerFragment(_ opcode: WebSocketOpcode, _ payload: [UInt8] = []) -> [UInt8] {
        var bytes = peer(opcode, payload)
        bytes[0] &= 0x7F
        return bytes
    }
}
