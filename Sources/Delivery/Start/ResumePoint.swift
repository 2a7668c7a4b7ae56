package import EventModel
internal import NIOCore
package import SessionProtocol

/// Finds where a subscription that begins now resumes, one day, in topics that it never saw
/// (doc:Session, "Exact resume").
///
/// Asked before the heads of its topics are looked at: what commits in between is then told, and
/// new as of the mark as well. Confined to its event loop.
package final class ResumePoint {
    private var completion: ((StartPosition?) -> Void)?
    private var timer: Scheduled<Void>?
    /// How long a subscription waits for its mark; a database that takes longer is as good as away.
    private static let patience = TimeAmount.seconds(1)
    /// How old a mark may be when a subscription gets it, as thousands begin at once: it only says
    /// less (doc:Log, "Marks").
    private static let ageMax = Duration.seconds(1)

    private init(_ completion: @escaping (StartPosition?) -> Void) { self.completion = completion }

    /// Calls `completion` once, on the loop; with `nil` when the log could not be asked, which
    /// hinders nobody to subscribe.
    ///
    /// One that resumes from a mark keeps it, and asks nothing: thousands come back at once.
    package static func find(
        for start: StartPosition, now: Moment, on loop: LoopDelivery, log: any EventLog,
        completion: @escaping (StartPosition?) -> Void
    ) {
        if case .mark = start { return completion(start) }
        if let known = loop.mark, now.instant - known.asked < ageMax {
            return completion(.mark(ResumeMark(of: start, now: now.time, mark: known.mark)))
        }
        // The answer comes for all who wait, which may be thousands.
        let point = ResumePoint { start in loop.begin { completion(start) } }
        point.timer = loop.eventLoop.assumeIsolated().scheduleTask(in: patience) {
            point.found(nil)
        }
        let bound = NIOLoopBound((point, loop), eventLoop: loop.eventLoop)
        log.mark { result in
            bound.eventLoop.execute {
                let (point, loop) = bound.value
                let mark = try? result.get()
                if let mark { loop.mark = (mark, asked: now.instant) }
                point.found(
                    mark.map { .mark(ResumeMark(of: start, now: now.time, mark: $0)) })
            }
        }
    }

    private func found(_ start: StartPosition?) {
        guard let completion else { return }
        self.completion = nil
        timer?.cancel()
        completion(start)
    }
}

@available(*, unavailable) extension ResumePoint: Sendable {}
