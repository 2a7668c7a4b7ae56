import Testing
import WebSocketCodec

private func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }

/// The fault that frames of the peer lead to, with the frame that tells it.
private func fault(_ side: ConnectionSide, _ frames: [UInt8]...) -> UInt16? {
    var side = side
    let actions = side.receives(frames.flatMap { $0 })
    guard case .ended(.failed(let fault)) = actions.dropLast(2).last else { return nil }
    #expect(
        Array(actions.suffix(2)) == [
            .send(side.ownClose(fault.closeCode, fault.reason)), .closeConnection,
        ])
    return fault.closeCode
}

@Suite("The end, by sections of RFC 6455") struct ClosingRulesTests {
    @Test(arguments: WebSocketRole.both)
    func `5·5·1 no data follows a close frame of ours`(role: WebSocketRole) {
        var side = ConnectionSide(role)
        #expect(side.closes(1000).count == 2)
        #expect(side.sends("late") == [])
        #expect(side.sends(binary: [1]) == [])
        #expect(side.closes(1001) == [])
    }

    @Test(arguments: WebSocketRole.both)
    func `5·5·1 a close is answered with its code, or without one`(role: WebSocketRole) {
        var coded = ConnectionSide(role)
        #expect(coded.receives(coded.peerClose(4999, "why")).contains(.send(coded.ownClose(4999))))
        var empty = ConnectionSide(role)
        #expect(empty.receives(empty.peer(.close)).contains(.send(empty.own(.close))))
    }

    @Test(arguments: WebSocketRole.both)
    func `5·5·1 half a code and a reason that is not UTF-8 fail`(role: WebSocketRole) {
        let side = ConnectionSide(role)
        #expect(fault(side, side.peer(.close, [0x03])) == 1002)
        #expect(fault(side, side.peer(.close, [0x03, 0xE8, 0xC3])) == 1007)
        #expect(fault(side, side.peer(.close, [0x03, 0xE8, 0x61, 0xED, 0xA0, 0x80])) == 1007)
    }

    @Test(arguments: WebSocketRole.both)
    func `5·5·1 a reason may fill the frame`(role: WebSocketRole) {
        var side = ConnectionSide(role)
        let reason = String(repeating: "é", count: 61) + "e"
        let actions = side.receives(side.peerClose(1000, reason))
        #expect(actions.first == .ended(.closedByPeer(code: 1000, reason: reason)))
    }

    @Test(arguments: WebSocketRole.both)
    func `5·5·1 a message that is not whole is forgotten by a close`(role: WebSocketRole) {
        var side = ConnectionSide(role)
        let actions = side.receives(side.peerFragment(.text, utf8("a")), side.peerClose(1000))
        #expect(actions.first == .ended(.closedByPeer(code: 1000, reason: "")))
    }

    @Test func `7·1·1 the server closes the connection, and the client waits for that`() {
        var server = ConnectionSide(.server)
        #expect(server.receives(server.peerClose(1000)).last == .closeConnection)
        var client = ConnectionSide(.client)
        #expect(client.receives(client.peerClose(1000)).last == .send(client.ownClose(1000)))
    }

    @Test func `7·1·5 and 7·1·6 the code and the reason are the close frame's`() {
        var side = ConnectionSide(.server)
        let actions = side.receives(side.peerClose(3001, "moved — away"))
        #expect(actions.first == .ended(.closedByPeer(code: 3001, reason: "moved — away")))
        var lost = ConnectionSide(.server)
        #expect(lost.breaks() == [.ended(.lost)])
    }

    @Test(arguments: WebSocketRole.both)
    func `7·1·7 after a failure nothing of the peer is processed`(role: WebSocketRole) {
        var side = ConnectionSide(role)
        _ = side.receives([0xFF])
        #expect(
            side.receives(side.peer(.text, "late"), side.peer(.ping), side.peerClose(1000)) == [])
        #expect(side.sends("late") == [])
    }

    @Test(
        arguments: WebSocketRole.both,
        [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000]
            + [4999] as [UInt16])
    func `7·4·1 and 7·4·2 codes that are defined or free are taken`(
        role: WebSocketRole, code: UInt16
    ) {
        var side = ConnectionSide(role)
        let actions = side.receives(side.peerClose(code))
        #expect(actions.first == .ended(.closedByPeer(code: code, reason: "")))
    }

    @Test(
        arguments: WebSocketRole.both,
        [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] as [UInt16])
    func `7·4·1 and 7·4·2 codes that must not be sent fail`(role: WebSocketRole, code: UInt16) {
        let side = ConnectionSide(role)
        #expect(fault(side, side.peer(.close, [UInt8(code >> 8), UInt8(code & 0xFF)])) == 1002)
    }

    @Test(
        arguments: [
            ([0x80], "a lone continuation"), ([0xBF], "a lone continuation"),
            ([0xC0, 0xAF], "an overlong ASCII character"), ([0xC1, 0xBF], "overlong, two bytes"),
            ([0xE0, 0x80, 0x80], "overlong, three bytes"),
            ([0xF0, 0x80, 0x80, 0x80], "overlong, four bytes"),
            ([0xED, 0xA0, 0x80], "a surrogate"), ([0xED, 0xBF, 0xBF], "a surrogate"),
            ([0xF4, 0x90, 0x80, 0x80], "over U+10FFFF"), ([0xF8, 0x88, 0x80, 0x80, 0x80], "five"),
            ([0xFC, 0x84, 0x80, 0x80, 0x80, 0x80], "six"), ([0xFE], "FE"), ([0xFF], "FF"),
            ([0xC3, 0x28], "no continuation"), ([0xE2, 0x82, 0x28], "no second continuation"),
        ] as [([UInt8], String)])
    func `8·1 text that is not UTF-8 fails with 1007 at the wrong byte`(
        bytes: [UInt8], what: String
    ) {
        for role in WebSocketRole.both {
            let side = ConnectionSide(role)
            #expect(fault(side, side.peer(.text, utf8("κ") + bytes)) == 1007, "\(what)")
            // The message is not whole: who is wrong already need not go on.
            #expect(fault(side, side.peerFragment(.text, utf8("κ") + bytes)) == 1007, "\(what)")
        }
    }

    @Test(arguments: WebSocketRole.both)
    func `8·1 text that ends inside a character fails at its end`(role: WebSocketRole) {
        let side = ConnectionSide(role)
        for scalar in ["é", "€", "𝄞"] {
            let bytes = utf8(scalar).dropLast()
            #expect(fault(side, side.peer(.text, Array(bytes))) == 1007)
            #expect(
                fault(side, side.peerFragment(.text, Array(bytes)), side.peer(.continuation))
                    == 1007)
        }
    }

    @Test(arguments: WebSocketRole.both)
    func `10·4 a message over the limit fails with 1009, in one frame or many`(
        role: WebSocketRole
    ) {
        let side = ConnectionSide(role, messageBytesMax: 100)
        let fits = [UInt8](repeating: 0x61, count: 100)
        #expect(fault(side, side.peer(.text, fits)) == nil)
        #expect(fault(side, side.peer(.text, fits + [0x61])) == 1009)
        #expect(
            fault(side, side.peerFragment(.binary, fits), side.peer(.continuation, [1])) == 1009)
    }
}
