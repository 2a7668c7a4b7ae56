import Testing
import WebSocketCodec

private let start = ContinuousClock.now

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

@Suite("The silence watch") struct SilenceWatchTests {
    private var watch = SilenceWatch(silenceMax: .seconds(40), now: start)

    @Test mutating func `counts from the last that was heard`() {
        #expect(watch.deadline == start + .seconds(40))
        watch.received(now: start + .seconds(7))
        #expect(watch.deadline == start + .seconds(47))
        watch.silenceMax = .seconds(10)
        #expect(watch.deadline == start + .seconds(17))
    }

    @Test mutating func `does not count while the client is paused`() {
        watch.paused()
        #expect(watch.deadline == nil)
        watch.received(now: start + .seconds(1))
        #expect(watch.deadline == nil)
        watch.resumed(now: start + .seconds(100))
        watch.resumed(now: start + .seconds(120))
        #expect(watch.deadline == start + .seconds(140))
    }
}
