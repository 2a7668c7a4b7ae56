internal import AccessControl
internal import EventModel

/// The token of this machine's command line: made at the first start, found in the connection file afterwards.
struct FirstToken {
    let text: String
    /// Made by this start; only then is it shown.
    let isNew: Bool

    /// Keeps the connection file's token if it is still good, and makes one otherwise.
    static func prepare(
        kept: String?, store: any TokenStore, authenticator: Authenticator
    ) async throws(BrokerError) -> FirstToken {
        if let kept, await isValid(kept, authenticator) {
            return FirstToken(text: kept, isNew: false)
        }
        let token = try await Token.create(name: "first", expires: nil, in: store)
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
