/// Who publishes or subscribes, once a token was verified.
package struct Identity: Hashable, Sendable {
    /// Counts as the publisher's name for shares of the queue.
    package var tokenID: String
    package var name: String
    package var expires: Timestamp?
    package var grants: Grants

    package init(
        tokenID: String, name: String, expires: Timestamp?, grants: Grants = .everything
    ) {
        self.tokenID = tokenID
        self.name = name
        self.expires = expires
        self.grants = grants
    }
}
