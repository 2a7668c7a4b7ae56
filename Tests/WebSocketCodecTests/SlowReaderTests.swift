import Testing
import WebSocketCodec

@Suite("A peer that reads slowly") struct SlowReaderTests {
    /// Runs the keepalive's clock beside a peer; gives the second in which it closes, if it does.
    private func closes(
        _ peer: inout SimulatedPeer, within seconds: Int,
        topic: (_ second: Int) -> Int = { _ in 0 }
    ) -> Int? {
        let start = ContinuousClock.now
        var keepalive = Keepalive(now: start)
        for second in 1...seconds {
            peer.waiting += topic(second)
            // The backlog holds 1 MiB; what is beyond it is read from the log again later.
            peer.waiting = min(peer.waiting, 1 << 20)
            let now = start + .seconds(second)
            for pong in peer.pass(1) {
                keepalive.received(now: now)
                keepalive.pongReceived(payload: pong)
            }
            var actions: [Keepalive.Action] = []
            let progress = peer.progress
            keepalive.tick(now: now, progress: { progress }, into: &actions)
            for action in actions {
                switch action {
                case .sendPing(let payload): peer.ping(payload)
                case .close: return second
                }
            }
        }
        return nil
    }

    private static let sendBuffer = 2 << 20
    /// A peer's kernel gives a reader more room the faster it reads.
    private static let readers = [(1, 128 << 10), (20, 1 << 20), (100, 6 << 20), (300, 6 << 20)]

    @Test(arguments: readers)
    func `stays alive on a topic that is faster`(rate: Int, receiveBuffer: Int) {
        var peer = SimulatedPeer(
            waiting: 0, rate: rate << 10, sendBufferMax: Self.sendBuffer,
            receiveBufferMax: receiveBuffer)
        #expect(closes(&peer, within: 1800) { _ in 600 << 10 } == nil)
    }

    @Test(arguments: readers)
    func `stays alive on a topic that was faster and falls silent`(rate: Int, receiveBuffer: Int) {
        var peer = SimulatedPeer(
            waiting: 0, rate: rate << 10, sendBufferMax: Self.sendBuffer,
            receiveBufferMax: receiveBuffer)
        let closed = closes(&peer, within: 7200) { $0 <= 10 ? 4 << 20 : 0 }
        #expect(closed == nil)
        #expect(!peer.progress.isBlocked)
    }

    @Test(arguments: readers)
    func `stays alive on a topic that is hardly slower`(rate: Int, receiveBuffer: Int) {
        var peer = SimulatedPeer(
            waiting: 0, rate: rate << 10, sendBufferMax: Self.sendBuffer,
            receiveBufferMax: receiveBuffer)
        // Bursts, with as much time as the reader needs for them.
        let closed = closes(&peer, within: 1800) { $0 % 60 == 0 ? rate * 59 << 10 : 0 }
        #expect(closed == nil)
    }

    @Test(arguments: [true, false])
    func `is found soon when it hangs or vanishes, and nothing waits for it`(vanishes: Bool) {
        var peer = SimulatedPeer(
            waiting: 0, rate: 0, sendBufferMax: Self.sendBuffer, receiveBufferMax: 6 << 20)
        if vanishes { peer.vanish() }
        #expect(closes(&peer, within: 1800) == 40)
    }

    @Test func `is found when it hangs on a busy topic`() {
        var peer = SimulatedPeer(
            waiting: 0, rate: 0, sendBufferMax: Self.sendBuffer, receiveBufferMax: 6 << 20)
        let closed = closes(&peer, within: 1800) { _ in 600 << 10 }
        #expect(closed.map { 300...340 ~= $0 } == true, "\(closed ?? 0)")
    }

    @Test func `is found when it vanishes from a busy topic`() {
        var peer = SimulatedPeer(
            waiting: 0, rate: 1 << 20, sendBufferMax: Self.sendBuffer, receiveBufferMax: 6 << 20)
        #expect(closes(&peer, within: 100) { _ in 600 << 10 } == nil)
        peer.vanish()
        let closed = closes(&peer, within: 1800) { _ in 600 << 10 }
        #expect(closed.map { 300...340 ~= $0 } == true, "\(closed ?? 0)")
    }
}
