package import EventModel
internal import Filtering

/// What all sessions of a node have in common; one object for all of them, so that a session stays
/// small.
package final class SessionTerms: Sendable {
    package let node: String
    package let version: String
    package let limits: Limits
    /// Of all subscriptions of the node.
    private let filters = FilterTable()

    package init(node: String, version: String, limits: Limits = Limits()) {
        self.node = node
        self.version = version
        self.limits = limits
    }

    /// The filter of a subscription; what others have, too, is one object.
    ///
    /// - Throws: `invalid_filter`, with the byte of the filter's own text.
    func filter(_ text: String?) throws(BrokerError) -> EventFilter? {
        guard let text else { return nil }
        return try filters.filter(text, bytesMax: limits.filterBytesMax)
    }
}

/// Now, on both clocks: the monotonic one decides, the wall clock is told.
package struct Moment: Hashable, Sendable {
    package var instant: ContinuousClock.Instant
    package var time: Timestamp

    package init(instant: ContinuousClock.Instant, time: Timestamp) {
        self.instant = instant
        self.time = time
    }

    /// The monotonic clock's instant at a time; now, if that is past.
    ///
    /// The wall clock may jump later, so what is left until then is measured on the other one.
    func instant(of time: Timestamp) -> ContinuousClock.Instant {
        instant + .microseconds(max(0, time.microseconds - self.time.microseconds))
    }

    package func advanced(by duration: Duration) -> Moment {
        Moment(instant: instant + duration, time: time.advanced(by: duration))
    }
}
