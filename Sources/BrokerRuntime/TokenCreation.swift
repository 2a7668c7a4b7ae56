package import AccessControl
package import DurableLog
package import EventModel
internal import OpenSSLBridge

extension Token {
    /// Makes a token and stores its hash; the token itself is to be shown once and kept nowhere.
    ///
    /// - Parameters:
    ///   - name: What it is for, 1 to 200 bytes.
    ///   - expires: Never if absent.
    ///   - grants: What its bearer may do; `nil`: everything.
    ///   - database: Where brokers look it up.
    /// - Returns: The token with its secret.
    /// - Throws: `database_unavailable` (retry), `invalid_request`.
    package static func create(
        name: String, expires: Timestamp?, grants: Grants? = nil, in database: TokenDatabase
    ) async throws(BrokerError) -> Token {
        let token = random()
        try await database.create(
            id: token.id, name: name, hash: token.hash, expires: expires, grants: grants)
        return token
    }

    /// A new one, which is stored nowhere.
    static func random() -> Token {
        var generator = SystemRandomNumberGenerator()
        return Token(using: &generator)
    }

    /// What is stored of it.
    var hash: [UInt8] { Digest.sha256(secret.utf8) }
}

extension Ticket {
    /// A new one, which is stored nowhere.
    @Sendable static func random() -> Ticket {
        var generator = SystemRandomNumberGenerator()
        return Ticket(using: &generator)
    }
}
