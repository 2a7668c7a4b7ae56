package import NIOCore
package import NIOPosix
internal import Synchronization

/// Puts work off until an event loop has looked at its sockets again.
///
/// NIO polls them only when no task is left that is due. So a task that queues itself again, even
/// with a pause, starves them when the tasks beside it take longer than the pause: nothing is read
/// from any publisher while many subscribers are flushed. This one knows of each poll, of loops
/// whose group has it as `metricsDelegate`; elsewhere the pause is all.
package final class LoopPolls: NIOEventLoopMetricsDelegate {
    /// One for all loops, since it counts by thread.
    package static let shared = LoopPolls()

    private final class Count: Sendable {
        let ticks = Atomic<Int>(0)
    }

    private let counts = ThreadSpecificVariable<Count>()
    /// How long the sockets may be polled, if nothing happens there.
    private static let pause = TimeAmount.microseconds(50)
    private static let pauseMax = TimeAmount.milliseconds(10)

    private init() {}

    /// The loop's tasks are done, so it polls next.
    package func processedTick(info: NIOEventLoopTickInfo) {
        if let count = counts.currentValue {
            count.ticks.wrappingAdd(1, ordering: .relaxed)
        } else {
            counts.currentValue = Count()
        }
    }

    private var ticks: Int? { counts.currentValue?.ticks.load(ordering: .relaxed) }

    /// Runs `body` on the loop when its sockets have had their turn; to be called on the loop.
    package func afterPoll(on eventLoop: any EventLoop, _ body: @escaping () -> Void) {
        afterPoll(on: eventLoop, in: Self.pause, body)
    }

    private func afterPoll(
        on eventLoop: any EventLoop, in pause: TimeAmount, _ body: @escaping () -> Void
    ) {
        let seen = ticks
        eventLoop.assumeIsolated().scheduleTask(in: pause) {
            if seen != nil, seen == self.ticks {
                // Where the loop is slower than the pause, this task itself would be due forever.
                self.afterPoll(on: eventLoop, in: min(pause * 2, Self.pauseMax), body)
            } else {
                body()
            }
        }
    }
}
