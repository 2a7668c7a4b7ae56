/// How far each writer's journal has been read: where the next poll goes on.
///
/// Announces do not count. One may be the first after a lost one, or made up by any role of the
/// database, and a row that was passed over is told by nothing but the heads, a minute later.
package struct JournalPositions: Sendable {
    private var known: [Int64: Int64] = [:]

    package init() {}

    package var writers: [Int64] { known.keys.sorted() }

    /// Parallel to `writers`.
    package var seqs: [Int64] { writers.map { known[$0] ?? -1 } }

    /// A row was read from the journal, in order, or everything up to it is known otherwise.
    package mutating func reached(writer: Int64, seq: Int64) {
        known[writer] = max(seq, known[writer] ?? -1)
    }

    /// Forgets writers that are not in the journal any more.
    package mutating func keep(_ writers: Set<Int64>) {
        known = known.filter { writers.contains($0.key) }
    }
}
