import Testing
import WebSocketCodec

private let start = ContinuousClock.now

@Suite("The close handshake") struct CloseHandshakeTests {
    private var handshake = CloseHandshake(timeout: .seconds(5))
    private var actions: [CloseHandshake.Action] = []

    @Test mutating func `answers the peer's close with its code and closes`() {
        handshake.closeReceived(code: 1000, into: &actions)
        #expect(actions == [.sendClose(code: 1000, reason: ""), .closeConnection])
        #expect(!handshake.isOpen)
    }

    @Test mutating func `of our own closes when the peer has answered`() {
        handshake.close(code: 4001, reason: "drain", now: start, into: &actions)
        handshake.close(code: 4003, reason: "internal", now: start, into: &actions)
        #expect(!handshake.isOpen)
        handshake.closeReceived(code: 4001, into: &actions)
        #expect(actions == [.sendClose(code: 4001, reason: "drain"), .closeConnection])
        #expect(handshake.deadline == nil)
    }

    @Test mutating func `does not wait for ever`() {
        handshake.close(code: 1000, reason: "", now: start, into: &actions)
        #expect(handshake.deadline == start + .seconds(5))
        handshake.tick(now: start + .seconds(4), into: &actions)
        handshake.tick(now: start + .seconds(5), into: &actions)
        handshake.tick(now: start + .seconds(6), into: &actions)
        #expect(actions == [.sendClose(code: 1000, reason: ""), .closeConnection])
    }

    @Test mutating func `tells a fault and closes without waiting`() {
        let fault = WebSocketFault(closeCode: 1002, reason: "masked")
        handshake.failed(fault, into: &actions)
        handshake.failed(fault, into: &actions)
        #expect(actions == [.sendClose(code: 1002, reason: "masked"), .closeConnection])
    }
}

@Suite("The keepalive") struct KeepaliveTests {
    private var keepalive = Keepalive(
        pingInterval: .seconds(20), pongTimeout: .seconds(10), now: start)
    private var actions: [Keepalive.Action] = []

    @Test mutating func `pings a quiet peer and gives it up when nothing follows`() {
        keepalive.tick(now: start + .seconds(19), into: &actions)
        #expect(actions == [])
        #expect(keepalive.deadline == start + .seconds(20))
        keepalive.tick(now: start + .seconds(20), into: &actions)
        #expect(keepalive.deadline == start + .seconds(30))
        keepalive.tick(now: start + .seconds(29), into: &actions)
        #expect(actions == [.sendPing])
        keepalive.tick(now: start + .seconds(30), into: &actions)
        keepalive.tick(now: start + .seconds(99), into: &actions)
        #expect(actions == [.sendPing, .close(code: 4002, reason: "no_pong")])
        #expect(keepalive.deadline == nil)
    }

    @Test mutating func `takes any bytes as a sign of life`() {
        keepalive.tick(now: start + .seconds(20), into: &actions)
        keepalive.received(now: start + .seconds(25))
        keepalive.tick(now: start + .seconds(44), into: &actions)
        #expect(actions == [.sendPing])
        keepalive.tick(now: start + .seconds(45), into: &actions)
        #expect(actions == [.sendPing, .sendPing])
    }
}
