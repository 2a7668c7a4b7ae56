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
        pingInterval: .seconds(20), pongTimeout: .seconds(10), stuckTimeout: .seconds(100),
        now: start)
    private var progress = Keepalive.Progress(sentBytes: 0, takenBytes: 0, isBlocked: false)
    private static let close = Keepalive.Action.close(code: 4002, reason: "no_pong")

    private func ping(_ position: UInt8) -> Keepalive.Action {
        .sendPing(payload: [0, 0, 0, 0, 0, 0, 0, position])
    }

    /// What ticks at these seconds lead to.
    private mutating func ticks(_ seconds: Int...) -> [Keepalive.Action] {
        var actions: [Keepalive.Action] = []
        let progress = progress
        for second in seconds {
            keepalive.tick(now: start + .seconds(second), progress: { progress }, into: &actions)
        }
        return actions
    }

    @Test mutating func `pings a quiet peer and gives it up when nothing follows`() {
        #expect(ticks(1, 19) == [])
        #expect(ticks(20, 29) == [ping(0)])
        #expect(ticks(30, 99) == [Self.close])
    }

    @Test mutating func `takes any bytes as a sign of life`() {
        #expect(ticks(20) == [ping(0)])
        keepalive.received(now: start + .seconds(25))
        #expect(ticks(44) == [])
        #expect(ticks(45) == [ping(0)])
    }

    @Test mutating func `does not ping behind what waits, and pings when nothing waits`() {
        progress.isBlocked = true
        #expect(ticks(20, 60, 90) == [])
        progress.isBlocked = false
        #expect(ticks(91) == [ping(0)])
    }

    @Test mutating func `stops the clock for a pong while the socket is blocked`() {
        #expect(ticks(20, 25) == [ping(0)])
        progress.isBlocked = true
        #expect(ticks(26, 40, 60) == [])
        progress.isBlocked = false
        #expect(ticks(61, 64) == [])
        #expect(ticks(65) == [Self.close])
    }

    @Test mutating func `gives up a peer that takes nothing of what waits, not one that does`() {
        progress.isBlocked = true
        #expect(ticks(20, 119) == [])
        progress.takenBytes = 1
        #expect(ticks(120, 219) == [])
        keepalive.received(now: start + .seconds(219))
        #expect(ticks(220, 240, 339) == [])
        #expect(ticks(340, 341) == [Self.close])
    }

    @Test mutating func `gives time for what the peer has not read yet`() {
        progress.sentBytes = 50
        #expect(ticks(20) == [ping(50)])
        keepalive.received(now: start + .seconds(21))
        keepalive.pongReceived(payload: [0, 0, 0, 0, 0, 0, 0, 50])
        // 40 KiB lie before the next ping; 1 KiB/s is the slowest that is expected.
        progress.sentBytes = 50 + (40 << 10)
        #expect(ticks(41).count == 1)
        #expect(ticks(90) == [])
        #expect(ticks(91) == [Self.close])
    }

    @Test mutating func `gives no more time than to one that takes nothing`() {
        progress.sentBytes = 1 << 30
        #expect(ticks(20).count == 1)
        #expect(ticks(129) == [])
        #expect(ticks(130) == [Self.close])
    }

    @Test(arguments: [[], [1], Array(repeating: 255, count: 8)])
    mutating func `is not deceived by pongs that answer no ping`(payload: [UInt8]) {
        progress.sentBytes = 10 << 10
        keepalive.pongReceived(payload: payload)
        #expect(ticks(20).count == 1)
        #expect(ticks(39) == [])
        #expect(ticks(40) == [Self.close])
    }
}
