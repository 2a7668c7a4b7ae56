internal import EventModel
internal import Logging
internal import PostgresBridge

/// Looks at the database's clock, and begins another incarnation when it was set back.
///
/// It outlives connections: a clock may be set while there is none.
struct ClockCheck {
    /// What is appended after a fall and before the next look counts as of the old incarnation.
    private static let interval = Duration.seconds(1)

    private let context: LogContext
    private var watch = ClockWatch()
    private var next = ContinuousClock.now

    init(_ context: LogContext) { self.context = context }

    mutating func step(
        in incarnation: String, on connection: PostgresConnection
    ) throws(PostgresError) {
        let asked = ContinuousClock.now
        guard asked >= next else { return }
        next = asked + Self.interval
        let look = try keeping("clock", context) { () throws(PostgresError) in
            try connection.query("SELECT sluice.clock($1::text)", [.text(incarnation)])
        }
        guard let look else { return }
        let clock = Timestamp(microseconds: look.timestamp(0, 0))
        guard watch.looked(at: clock, in: incarnation, asked: asked, answered: .now) else { return }
        // The next statement of each connection finds out, this one's as well.
        let ended = try keeping("clock", context) { () throws(PostgresError) in
            try connection.query("SELECT sluice.end_incarnation($1::text)", [.text(incarnation)])
        }
        if let ended, ended.bool(0, 0) {
            context.logger.warning(
                "the database's clock was set back, so the log begins another incarnation",
                metadata: ["clock": "\(clock)", "ended": "\(incarnation)"])
        }
    }
}
