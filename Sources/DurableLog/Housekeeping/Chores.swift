internal import PostgresBridge

/// The steps that come by the clock: the journal's age, the keys' and the ephemeral events'.
struct Chores {
    private struct Chore {
        let name: String
        let statement: String
        let interval: Duration
        var next: ContinuousClock.Instant
    }

    private let context: LogContext
    private var chores: [Chore]

    init(_ context: LogContext) {
        self.context = context
        let now = ContinuousClock.now
        func chore(_ name: String, every interval: Duration) -> Chore {
            Chore(
                name: name, statement: "SELECT sluice.\(name)()", interval: interval,
                next: now + interval)
        }
        chores = [
            chore("fade", every: .seconds(10)),
            chore("forget", every: .seconds(60)),
            chore("review_retention", every: .seconds(3600)),
            // Several times per window of the keys, which is a day unless it was shortened.
            chore("forget_keys", every: .seconds(600)),
        ]
    }

    /// Does at most one.
    mutating func step(on connection: PostgresConnection) throws(PostgresError) {
        let now = ContinuousClock.now
        guard let index = chores.firstIndex(where: { $0.next <= now }) else { return }
        chores[index].next = now + chores[index].interval
        _ = try keeping(chores[index].name, context) { () throws(PostgresError) in
            try connection.query(chores[index].statement)
        }
    }
}
