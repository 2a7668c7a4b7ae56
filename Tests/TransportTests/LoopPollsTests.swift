internal import Foundation
internal import NIOCore
internal import NIOPosix
internal import Testing
internal import Transport

@Suite("Work that is put off until the sockets were polled") struct LoopPollsTests {
    /// Chains of work that take longer than a pause between them, so that a task is due at any
    /// time; one byte is sent by the first of them.
    private final class Chains: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        let loop: any EventLoop
        let peer: CInt
        let count: Int
        let read: EventLoopPromise<Int>
        var rounds = 0
        var isOver = false

        init(_ loop: any EventLoop, peer: CInt, count: Int, read: EventLoopPromise<Int>) {
            self.loop = loop
            self.peer = peer
            self.count = count
            self.read = read
        }

        func begin() {
            let count = write(peer, "x", 1)
            precondition(count == 1, "the other end takes a byte")
            for _ in 1...count { LoopPolls.shared.afterPoll(on: loop) { self.work() } }
        }

        private func work() {
            rounds += 1
            let end = ContinuousClock.now + .milliseconds(2) / count
            while ContinuousClock.now < end {}
            if !isOver, rounds < 1000 { LoopPolls.shared.afterPoll(on: loop) { self.work() } }
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            isOver = true
            read.succeed(rounds)
        }
    }

    /// Of 20,000, already to ask again takes longer than the pause.
    @Test(.timeLimit(.minutes(1)), arguments: [2, 20_000])
    func `lets them have their turn, though tasks are due all the time`(count: Int) async throws {
        let group = MultiThreadedEventLoopGroup(
            numberOfThreads: 1, metricsDelegate: LoopPolls.shared)
        let loop = group.next()
        var ends: [CInt] = [0, 0]
        let kind = CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        try #require(socketpair(AF_UNIX, kind, 0, &ends) == 0)
        let (own, peer) = (ends[0], ends[1])
        let read = loop.makePromise(of: Int.self)
        let chains = try await loop.submit {
            NIOLoopBound(Chains(loop, peer: peer, count: count, read: read), eventLoop: loop)
        }.get()
        let channel = try await NIOPipeBootstrap(group: group)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(chains.value)
                }
            }
            .takingOwnershipOfDescriptor(inputOutput: own).get()
        loop.execute { chains.value.begin() }
        // Each chain waits for the poll that begins after it was asked for.
        #expect(try await read.futureResult.get() <= 2 * count)
        try await channel.close()
        close(peer)
        try await group.shutdownGracefully()
    }
}
