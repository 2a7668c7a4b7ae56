internal import Glibc
internal import Logging
internal import NIOCore

/// Rests for a moment when no connection can be accepted, because descriptors or memory are short.
///
/// The listening socket stays readable then, so that accepting on would spin; what waits in the
/// backlog is accepted afterwards. See accept(2), EMFILE and ENFILE.
final class AcceptPause: ChannelInboundHandler {
    typealias InboundIn = any Channel

    /// How long no connection is accepted.
    static let pause = TimeAmount.milliseconds(250)

    private static let shortages = [EMFILE, ENFILE, ENOBUFS, ENOMEM]

    private let logger: Logger
    private var isPaused = false

    init(logger: Logger) { self.logger = logger }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Whatever fails while one connection is set up concerns that connection alone.
        guard let code = (error as? IOError)?.errnoCode, Self.shortages.contains(code), !isPaused
        else { return }
        logger.error(
            "connections cannot be accepted; trying again", metadata: ["error": "\(error)"])
        setAccepting(false, context)
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.pause) {
            self.setAccepting(true, context)
        }
    }

    // NIO goes on polling for a read that failed, so not asking for another is not enough.
    private func setAccepting(_ isAccepting: Bool, _ context: ChannelHandlerContext) {
        isPaused = !isAccepting
        guard context.channel.isActive else { return }
        do {
            try context.channel.syncOptions?.setOption(.autoRead, value: isAccepting)
        } catch {
            logger.error("accepting cannot be paused", metadata: ["error": "\(error)"])
        }
    }
}

@available(*, unavailable) extension AcceptPause: Sendable {}
