/// How a subscription is delivered, beside what and from where (doc:Session).
package struct SubscriptionOptions: Hashable, Sendable {
    /// `nil`: each topic's default (`overflow` of its settings), else `replay`.
    package var overflow: OverflowPolicy?
    /// Events a second of each topic, at least 1; `nil`: no bound.
    package var maxRate: Int?
    /// Events that the client is ready to take, 0 for none yet; `nil`: no credit is used.
    package var credit: Int64?

    package init(overflow: OverflowPolicy? = nil, maxRate: Int? = nil, credit: Int64? = nil) {
        self.overflow = overflow
        self.maxRate = maxRate
        self.credit = credit
    }
}

/// Which options of a subscription become what, while it keeps its position; `nil`: as they are.
package struct SubscriptionChanges: Hashable, Sendable {
    /// `.some(nil)`: No bound any more.
    package var maxRate: Int??
    /// `.some(nil)`: No filter any more.
    package var filter: String??

    package init(maxRate: Int?? = nil, filter: String?? = nil) {
        self.maxRate = maxRate
        self.filter = filter
    }
}
