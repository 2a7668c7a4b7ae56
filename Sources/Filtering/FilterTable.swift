package import EventModel
internal import Synchronization

/// The filters that somebody uses, so that equal ones are one object: a loop of the fan-out then
/// asks it once for each event, whoever wants to know.
///
/// It keeps none alive. Usable from any thread.
package final class FilterTable: Sendable {
    private struct Entry {
        weak let filter: EventFilter?
    }

    private struct State {
        /// By their normal text.
        var entries: [String: Entry] = [:]
        /// Entries at which those are let go whose filters are gone.
        var sweepCount = sweepCountMin
    }

    private let state = Mutex(State())
    private static let sweepCountMin = 64

    package init() {}

    /// The filter that is written so, of at most `bytesMax` bytes; parsed unless it is in use in
    /// its normal form.
    ///
    /// - Throws: `invalid_filter`, as `EventFilter` does.
    package func filter(_ text: String, bytesMax: Int) throws(BrokerError) -> EventFilter {
        if text.utf8.count <= bytesMax, let known = state.withLock({ $0.entries[text]?.filter }) {
            return known
        }
        let new = try EventFilter(text, bytesMax: bytesMax)
        return state.withLock { state in
            if let known = state.entries[new.text]?.filter { return known }
            state.entries[new.text] = Entry(filter: new)
            if state.entries.count >= state.sweepCount {
                state.entries = state.entries.filter { $0.value.filter != nil }
                state.sweepCount = max(Self.sweepCountMin, 2 * state.entries.count)
            }
            return new
        }
    }

    /// Filters that are remembered, in use or not yet let go.
    package var count: Int { state.withLock { $0.entries.count } }
}
