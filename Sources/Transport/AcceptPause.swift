internal import Glibc
internal import Logging
internal import NIOCore

/// Rests for a moment when no connection can be accepted, because descriptors or memory are short.
///
/// The listening socket stays readable then, so that accepting on would spin; what waits in the
/// backlog is accepted afterwards. See accept(2), EMFILE and ENFILE.
final class AcceptPause: ChannelDuplexHandler {
    typealias InboundIn = any Channel
    typealias OutboundIn = any Channel

    /// How long no connection is accepted.
    static let pause = TimeAmount.milliseconds(250)

    private static let shortages = [EMFILE, ENFILE, ENOBUFS, ENOMEM]

    private let logger: Logger
    private var isPaused = false
    private var owesRead = false

    init(logger: Logger) { self.logger = logger }

    func read(context: ChannelHandlerContext) {
        if isPaused { owesRead = true } else { context.read() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Whatever fails while one connection is set up concerns that connection alone.
        guard let code = (error as? IOError)?.errnoCode, Self.shortages.contains(code), !isPaused
        else { return }
        isPaused = true
        logger.error(
            "connections cannot be accepted; trying again", metadata: ["error": "\(error)"])
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.pause) {
            self.isPaused = false
            guard self.owesRead else { return }
            self.owesRead = false
            context.read()
        }
    }
}

@available(*, unavailable) extension AcceptPause: Sendable {}
