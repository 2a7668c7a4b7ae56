import Testing
import WebSocketCodec

private let roles: [WebSocketRole] = [.server, .client]

@Suite("A WebSocket that is open, on either side") struct OpenConnectionTests {
    @Test(arguments: roles)
    func `gives messages and answers pings, in order`(role: WebSocketRole) {
        var side = ConnectionSide(role)
        let actions = side.receives(
            side.peer(.text, "a"), side.peer(.ping, [7]), side.peer(.binary, [8]),
            side.peer(.pong, [9]), side.peer(.text))
        #expect(actions == [.text([97]), .send(side.own(.pong, [7])), .binary([8]), .text([])])
    }

    @Test(arguments: roles) func `gives a message when its last frame has come`(role: WebSocketRole)
    {
        var side = ConnectionSide(role)
        let bytes = side.peer(.text, "Hello")
        #expect(side.receives(Array(bytes[..<3])) == [])
        #expect(side.receives(Array(bytes[3...])) == [.text(Array("Hello".utf8))])
    }

    @Test(arguments: roles) func `sends messages, masked if it is a client`(role: WebSocketRole) {
        var side = ConnectionSide(role)
        #expect(side.sends("Hello") == [.send(side.own(.text, "Hello"))])
    }

    @Test(arguments: roles) func `lets an answer out before it answers a close behind the question`(
        role: WebSocketRole
    ) {
        var side = ConnectionSide(role)
        side.arrive(side.peer(.text, "?") + side.peerClose(1000))
        #expect(side.next() == [.text([63])])
        #expect(side.sends("!") == [.send(side.own(.text, "!"))])
        #expect(
            side.next()?.prefix(2) == [
                .ended(.closedByPeer(code: 1000, reason: "")), .send(side.ownClose(1000)),
            ])
        #expect(side.next() == nil)
    }

    @Test func `takes longer messages once it is told to`() {
        var side = ConnectionSide(.server, messageBytesMax: 0)
        side.connection.raise(messageBytesMax: 1)
        #expect(side.receives(side.peer(.text, "a")) == [.text([97])])
    }
}

@Suite("A WebSocket that the peer closes") struct PeerCloseTests {
    @Test func `is answered and closed by a server`() {
        var side = ConnectionSide(.server)
        #expect(
            side.receives(side.peerClose(3000, "bye"), side.peer(.text, "late"))
                == [
                    .ended(.closedByPeer(code: 3000, reason: "bye")), .send(side.ownClose(3000)),
                    .closeConnection,
                ])
        #expect(side.sends("late") == [])
        #expect(side.closes(4001) == [])
        #expect(side.receives(side.peer(.ping)) == [])
        #expect(side.inputEnds() == [])
        #expect(side.ticks(5, 60) == [])
    }

    @Test func `is answered by a client, which waits for the server to close`() {
        var side = ConnectionSide(.client)
        #expect(
            side.receives(side.peerClose(4001, "drain"), side.peer(.text, "late"), at: 1)
                == [
                    .ended(.closedByPeer(code: 4001, reason: "drain")), .send(side.ownClose(4001)),
                ])
        #expect(side.connection.deadline == ConnectionSide.start + .seconds(6))
        #expect(side.sends("late") == [])
        #expect(side.closes(1000) == [])
        #expect(side.inputEnds() == [.closeConnection])
        #expect(side.connection.deadline == nil)
    }

    @Test func `is closed by a client if the server does not`() {
        var side = ConnectionSide(.client)
        _ = side.receives(side.peerClose(4001), at: 1)
        #expect(side.ticks(5) == [])
        #expect(side.ticks(6, 7) == [.closeConnection])
    }

    @Test(arguments: roles) func `without a code is answered without one`(role: WebSocketRole) {
        var side = ConnectionSide(role)
        let actions = side.receives(side.peer(.close))
        #expect(
            actions.prefix(2) == [
                .ended(.closedByPeer(code: nil, reason: "")), .send(side.own(.close)),
            ])
    }
}

@Suite("A WebSocket that this side closes") struct OwnCloseTests {
    @Test(arguments: roles)
    func `takes and sends no message any more, and answers pings`(role: WebSocketRole) {
        var side = ConnectionSide(role)
        #expect(
            side.closes(4001, "drain")
                == [
                    .ended(.closed(code: 4001, reason: "drain")),
                    .send(side.ownClose(4001, "drain")),
                ])
        #expect(!side.connection.isOpen)
        #expect(side.closes(4003, "internal") == [])
        #expect(side.sends("late") == [])
        // RFC 6455 5.5.2: as long as the peer's close has not come.
        #expect(
            side.receives(side.peer(.text, "late"), side.peer(.binary), side.peer(.ping, [7]))
                == [.send(side.own(.pong, [7]))])
    }

    @Test(arguments: roles) func `drops what came behind the reason`(role: WebSocketRole) {
        var side = ConnectionSide(role)
        side.arrive(side.peer(.text, "bad") + side.peer(.text, "late"))
        #expect(side.next() == [.text(Array("bad".utf8))])
        _ = side.closes(4500)
        #expect(side.next() == [])
        #expect(side.next() == nil)
    }

    @Test func `is closed by a server when the client has answered`() {
        var side = ConnectionSide(.server)
        _ = side.closes(4001)
        #expect(side.receives(side.peerClose(4001)) == [.closeConnection])
        #expect(side.ticks(5) == [])
    }

    @Test func `is left to the server by a client that has its answer`() {
        var side = ConnectionSide(.client)
        _ = side.closes(1000)
        #expect(side.receives(side.peerClose(1000), side.peer(.ping), at: 3) == [])
        #expect(side.ticks(4) == [])
        #expect(side.ticks(5, 6) == [.closeConnection])
    }

    @Test(arguments: roles) func `is closed when no answer comes in time`(role: WebSocketRole) {
        var side = ConnectionSide(role)
        _ = side.closes(1000, at: 1)
        #expect(side.connection.deadline == ConnectionSide.start + .seconds(6))
        #expect(side.ticks(5) == [])
        #expect(side.ticks(6, 60) == [.closeConnection])
        #expect(side.receives(side.peer(.ping), side.peerClose(1000)) == [])
    }

    @Test(arguments: roles) func `is closed at once by a fault or the input's end`(
        role: WebSocketRole
    ) {
        var faulty = ConnectionSide(role)
        _ = faulty.closes(1000)
        #expect(faulty.receives([0xFF], faulty.peerClose(1000)) == [.closeConnection])
        var gone = ConnectionSide(role)
        _ = gone.closes(1000)
        #expect(gone.inputEnds() == [.closeConnection])
    }
}

@Suite("A WebSocket whose peer breaks the protocol") struct FaultTests {
    private func expect(
        _ code: UInt16, _ reason: String, after frame: [UInt8], _ role: WebSocketRole
    ) {
        var side = ConnectionSide(role)
        #expect(
            side.receives(side.peer(.text, "a"), frame, side.peer(.text, "late"))
                == [
                    .text([97]), .ended(.failed(WebSocketFault(closeCode: code, reason: reason))),
                    .send(side.ownClose(code, reason)), .closeConnection,
                ])
        #expect(side.receives(side.peer(.ping)) == [])
        #expect(side.sends("late") == [])
        #expect(side.ticks(60) == [])
    }

    @Test func `by not masking, or by masking, is told and closed`() {
        let own = ConnectionSide(.server).own(.text, "a")
        expect(1002, "the frame is not masked", after: own, .server)
        let masked = ConnectionSide(.client).own(.text, "a")
        expect(1002, "a server's frame is masked", after: masked, .client)
    }

    @Test(arguments: roles)
    func `with an extension, bad UTF-8 or too much is told and closed`(role: WebSocketRole) {
        let side = ConnectionSide(role)
        expect(1002, "reserved bits are set; no extension was agreed on", after: [0xC1], role)
        expect(1007, "a text message is not UTF-8", after: side.peer(.text, [0xFF]), role)
        let long = side.peer(.binary, Array(repeating: 0, count: 101))
        expect(1009, "the message is over 100 bytes", after: long, role)
    }
}

@Suite("A WebSocket that ends without a close frame") struct LostConnectionTests {
    @Test(arguments: roles) func `by the input's end is closed`(role: WebSocketRole) {
        var side = ConnectionSide(role)
        #expect(
            side.inputEnds() == [.ended(.inputEnded), .closeConnection])
        #expect(side.inputEnds() == [])
        #expect(side.breaks() == [])
    }

    @Test(arguments: roles) func `by the connection's end has nothing to send`(role: WebSocketRole)
    {
        var side = ConnectionSide(role)
        #expect(side.breaks() == [.ended(.lost)])
        #expect(side.sends("late") == [])
        #expect(side.closes(1000) == [])
        #expect(side.ticks(60) == [])
        var closing = ConnectionSide(role)
        _ = closing.closes(1000)
        #expect(closing.breaks() == [])
        #expect(closing.ticks(60) == [])
    }
}

@Suite("A WebSocket whose peer is silent") struct SilentPeerTests {
    private static func ping(_ sentBytes: UInt8) -> ConnectionSide.Action {
        .send(WebSocketFrame.encode(opcode: .ping, payload: [0, 0, 0, 0, 0, 0, 0, sentBytes]))
    }

    @Test func `is pinged by a server, told and closed`() {
        var side = ConnectionSide(.server)
        #expect(side.ticks(19) == [])
        #expect(side.ticks(20, 29) == [Self.ping(0)])
        #expect(
            side.ticks(30, 60)
                == [.ended(.silent), .send(side.ownClose(4002, "no_pong")), .closeConnection])
        #expect(side.receives(side.peer(.text, "late"), side.peer(.ping)) == [])
    }

    @Test func `and stuck is aborted by a server`() {
        var side = ConnectionSide(.server)
        let stuck = Keepalive.Progress(sentBytes: 50, takenBytes: 0, isBlocked: true)
        #expect(side.ticks(20, 119, progress: stuck) == [])
        #expect(
            side.ticks(120, 121, progress: stuck)
                == [.ended(.silent), .send(side.ownClose(4002, "no_pong")), .abortConnection])
    }

    @Test func `lives for a server when it answers pings`() {
        var side = ConnectionSide(.server)
        let progress = Keepalive.Progress(sentBytes: 50, takenBytes: 50, isBlocked: false)
        #expect(side.ticks(20, progress: progress) == [Self.ping(50)])
        let pong = side.peer(.pong, [0, 0, 0, 0, 0, 0, 0, 50])
        #expect(side.receives(pong, at: 29) == [])
        // Nothing is unread, so the next pong has 10 s again.
        #expect(side.ticks(48, 49, 58, progress: progress) == [Self.ping(50)])
        #expect(side.ticks(59, progress: progress).count == 3)
    }

    @Test func `is not pinged while it closes`() {
        var side = ConnectionSide(.server)
        _ = side.closes(4001, at: 18)
        #expect(side.ticks(20, 22) == [])
        #expect(side.ticks(23) == [.closeConnection])
    }

    @Test func `is given up by a client, without a word`() {
        var side = ConnectionSide(.client)
        _ = side.receives(side.peer(.ping), at: 3)
        #expect(side.connection.deadline == ConnectionSide.start + .seconds(43))
        #expect(side.ticks(42) == [])
        #expect(side.ticks(43, 90) == [.ended(.silent), .abortConnection])
        #expect(side.connection.deadline == nil)
    }

    @Test func `has another time once the client was told`() {
        var side = ConnectionSide(.client)
        side.connection.watch(silenceMax: .seconds(10))
        #expect(side.ticks(9) == [])
        #expect(side.ticks(10) == [.ended(.silent), .abortConnection])
    }

    @Test func `is not to blame for a client that does not read`() {
        var side = ConnectionSide(.client)
        side.connection.paused()
        #expect(side.connection.deadline == nil)
        #expect(side.ticks(40, 400) == [])
        side.connection.resumed(now: ConnectionSide.start + .seconds(400))
        #expect(side.ticks(439) == [])
        #expect(side.ticks(440) == [.ended(.silent), .abortConnection])
    }
}
