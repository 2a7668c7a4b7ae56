/// Where a node's appends go, each over a connection and a thread of its own (doc:AppendAndFollow).
package enum AppendWay: Sendable {
    /// Durable topics: `sluice.append`.
    case log
    /// Ephemeral topics: `sluice.emit`, whose commits wait for no disk.
    case ephemera

    /// Shown in `pg_stat_activity`, and in the thread's name.
    var role: String {
        switch self {
        case .log: "append"
        case .ephemera: "emit"
        }
    }
}
