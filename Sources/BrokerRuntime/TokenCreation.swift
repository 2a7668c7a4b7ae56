package import AccessControl
package import EventModel
internal import OpenSSLBridge

extension Token {
    /// Makes a token and stores its hash; the token itself is to be shown once and kept nowhere.
    ///
    /// - Parameters:
    ///   - name: What it is for, 1 to 200 bytes.
    ///   - expires: Never if absent.
    ///   - store: Where brokers look it up.
    /// - Returns: The token with its secret.
    /// - Throws: `database_unavailable` (retry), `invalid_request`.
    package static func create(
        name: String, expires: Timestamp?, in store: any TokenStore
    ) async throws(BrokerError) -> Token {
        var generator = SystemRandomNumberGenerator()
        let token = Token(using: &generator)
        try await store.create(
            id: token.id, name: name, hash: Digest.sha256(token.secret.utf8), expires: expires)
        return token
    }
}
