/// Something that goes wrong, and how long it lasts.
package struct Fault: Hashable, Sendable, CustomStringConvertible {
    package enum Kind: String, CaseIterable, Sendable {
        /// SIGKILL; started again when it ends.
        case brokerKilled = "broker killed"
        /// SIGTERM, so that it drains; started again when it ends.
        case brokerStopped = "broker told to stop"
        /// SIGSTOP, and SIGCONT when it ends.
        case brokerFrozen = "broker frozen"
        /// SIGKILL for all brokers at once.
        case brokersKilled = "all brokers killed"
        /// SIGKILL for the postmaster and its processes; started again when it ends.
        case postgresKilled = "PostgreSQL killed"
        /// SIGSTOP for the postmaster and its processes.
        case postgresFrozen = "PostgreSQL frozen"
        /// SIGSTOP for the standby's processes: no commit goes on.
        case standbyFrozen = "standby frozen"
        /// SIGKILL for the primary, and nobody restarts it: the standby takes over when it ends.
        case failover = "failover"
        /// The same, and the old primary comes back and can be written to.
        case failoverWithDecoy = "failover with decoy"
        /// The database's clock is set back, and set right when it ends.
        case clockSetBack = "clock set back"
        /// SIGSTOP for the backends of a broker's append connection.
        case appendFrozen = "append backend frozen"
        /// `pg_terminate_backend` for all connections of a broker's part.
        case backendsEnded = "backends ended"
        /// Connections between a broker and its clients are cut.
        case clientsCut = "clients cut off"
        /// Nothing goes through between a broker and its clients, until it ends.
        case clientsStalled = "clients stalled"
        /// Connections between a broker and its clients are silently dead, without an end.
        case clientsSwallowed = "clients silently dead"
        /// Connections between a broker and the database are cut.
        case databaseCut = "database cut off"
        /// They are silently dead, and so are new ones, until it ends.
        case databaseSwallowed = "database silently dead"
        /// A broker's LISTEN connection is silently dead; the others are well.
        case listenSwallowed = "LISTEN silently dead"
        /// Somebody holds a topic's lock.
        case topicLocked = "topic locked"
        /// Somebody's transaction holds a snapshot.
        case snapshotHeld = "snapshot held"
        /// The database's disk takes no more.
        case diskFull = "disk full"
    }

    package var kind: Kind
    /// Which broker, where it is about one.
    package var broker: Int
    package var lasting: Duration
    /// For what else is drawn while it is performed.
    package var salt: UInt64

    package init(_ kind: Kind, broker: Int = 0, lasting: Duration, salt: UInt64 = 0) {
        self.kind = kind
        self.broker = broker
        self.lasting = lasting
        self.salt = salt
    }

    package var description: String {
        let place =
            switch kind {
            case .brokersKilled, .postgresKilled, .postgresFrozen, .standbyFrozen, .failover,
                .failoverWithDecoy, .clockSetBack, .topicLocked, .snapshotHeld, .diskFull:
                ""
            default: " (broker \(broker + 1))"
            }
        let milliseconds = lasting / .milliseconds(1)
        return "\(kind.rawValue)\(place) for \(Int(milliseconds)) ms"
    }
}
