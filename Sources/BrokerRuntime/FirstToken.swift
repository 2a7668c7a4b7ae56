internal import AccessControl
internal import EventModel
internal import OpenSSLBridge

/// The token of this machine's command line: made at the first start, found in the connection file afterwards.
struct FirstToken {
    let text: String
    /// Made by this start; only then is it shown.
    let isNew: Bool

    /// - Parameter kept: The token of the connection file, if there is one.
    static func prepare(
        kept: String?, store: any TokenStore, authenticator: Authenticator
    ) async throws(BrokerError) -> FirstToken {
        if let kept, await isValid(kept, authenticator) {
            return FirstToken(text: kept, isNew: false)
        }
        var generator = SystemRandomNumberGenerator()
        let token = Token(using: &generator)
        try await store.create(
            id: token.id, name: "first", hash: Digest.sha256(token.secret.utf8), expires: nil)
        return FirstToken(text: token.text, isNew: true)
    }

    private static func isValid(_ text: String, _ authenticator: Authenticator) async -> Bool {
        await withCheckedContinuation { continuation in
            authenticator.authenticate(text) { result in
                if case .success = result {
                    continuation.resume(returning: true)
                } else {
                    continuation.resume(returning: false)
                }
            }
        }
    }
}
