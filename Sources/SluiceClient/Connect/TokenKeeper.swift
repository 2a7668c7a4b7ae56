/// The token that a client shows now, and how it gets another one.
actor TokenKeeper {
    /// Whether the source may have another token.
    nonisolated let isRenewable: Bool
    private let source: TokenSource?
    private var known: String?
    /// Everybody who needs one waits for the same answer.
    private var asked: Task<Result<String, SluiceError>, Never>?

    /// - Throws: When the configuration's token is none.
    init(_ configuration: ClientConfiguration) throws(SluiceError) {
        source = configuration.tokenSource
        isRenewable = configuration.tokenSource != nil
        known = isRenewable ? nil : try configuration.token.map(Self.checked)
    }

    /// The token to show; `nil` for a broker without authentication.
    ///
    /// - Throws: What the source says; with `retryAfter` it may be asked again.
    func token() async throws(SluiceError) -> String? {
        if let known { return known }
        return try await freshToken()
    }

    /// Asks the source, though the token that is known may still be good.
    func freshToken() async throws(SluiceError) -> String? {
        guard let source else { return known }
        let task = asked ?? Task { await Self.answer(of: source) }
        asked = task
        let answer = await task.value
        if asked == task {
            asked = nil
            if case .success(let token) = answer { known = token }
        }
        return try answer.get()
    }

    /// The broker does not take this token any more.
    func refuse(_ token: String?) {
        if isRenewable, known == token { known = nil }
    }

    private static func answer(of source: TokenSource) async -> Result<String, SluiceError> {
        do {
            return .success(try checked(try await source.ask()))
        } catch let error as SluiceError {
            return .failure(error)
        } catch {
            return .failure(
                SluiceError(
                    .failed, code: "token_unavailable", "There is no token: \(error).",
                    remedy: "See why the client's source of tokens has none.", retryAfter: .zero))
        }
    }

    /// RFC 9110 11.4; a line end read along from a file would begin another header field.
    private static func checked(_ token: String) throws(SluiceError) -> String {
        guard !token.isEmpty, token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw SluiceError(
                .invalid, code: "invalid_request",
                "The token is empty, or holds white space or other characters that no token has.",
                remedy: "Give the token alone, as 'sluice token create' printed it.")
        }
        return token
    }
}
