internal import NIOCore

/// A task executor over one event loop: what a route waits for goes on there, not on the global
/// pool.
///
/// NIO's loops are serial executors (for actors) but not task executors.
final class LoopExecutor: TaskExecutor {
    private let eventLoop: any EventLoop

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        eventLoop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
