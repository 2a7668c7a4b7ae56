package import EventModel

/// Where tokens are found, which nodes share.
///
/// `DurableLog` implements it on PostgreSQL.
package protocol TokenStore: Sendable {
    /// Which of these tokens were revoked, or are gone; in one question, however many they are.
    ///
    /// - Throws: `database_unavailable` (retry).
    func revoked(among ids: Set<String>) async throws(BrokerError) -> Set<String>

    /// Looks a token up, for authentication.
    ///
    /// Answers once, on any thread.
    func find(
        id: String, completion: @escaping @Sendable (Result<TokenRecord?, BrokerError>) -> Void)
}

/// A token as it is stored.
package struct TokenRecord: Hashable, Sendable {
    package var id: String
    package var name: String
    package var hash: [UInt8]
    package var created: Timestamp
    package var expires: Timestamp?
    package var revoked: Timestamp?
    package var grants: Grants

    package init(
        id: String, name: String, hash: [UInt8], created: Timestamp, expires: Timestamp? = nil,
        revoked: Timestamp? = nil, grants: Grants = .everything
    ) {
        self.id = id
        self.name = name
        self.hash = hash
        self.created = created
        self.expires = expires
        self.revoked = revoked
        self.grants = grants
    }
}

extension TokenRecord {
    /// Who has the token, as long as it stands.
    ///
    /// `unauthorized` when it was revoked, or expired.
    func identity(at now: Timestamp) -> Result<Identity, BrokerError> {
        if revoked != nil { return .failure(BrokerError(.unauthorized, "The token was revoked.")) }
        if let expires, expires <= now {
            return .failure(BrokerError(.unauthorized, "The token expired at \(expires)."))
        }
        return .success(Identity(tokenID: id, name: name, expires: expires, grants: grants))
    }
}
