internal import FoundationEssentials

/// Where a client's tokens come from, when they do not last as long as the client.
///
/// It is asked before the first request, and again
///
/// - a minute before the broker ends a session, or after two thirds of a shorter time: the session
///   goes on with the new token;
/// - when the broker has ended a session because its token expired or was revoked: the next
///   connection shows the new one;
/// - when the broker refuses a request with 401: it is sent once more, if the new token is another
///   one.
///
/// In between, the last token is used for everything. It is asked from any task, once at a time,
/// and has as long as it likes: what needs a token waits.
///
/// What it throws ends what is asked of the client, with the code `token_unavailable`; but
/// subscriptions of a client that has reached its broker try again, with the wait between them
/// doubling up to 30 s, and tell it as `SubscriptionNotice.disconnected`. A source that wants to
/// end them throws a `SluiceError` without `retryAfter`. Tokens are never logged, and are in no
/// error of the client's own.
public struct TokenSource: Sendable {
    let ask: @Sendable () async throws -> String

    /// Gets tokens from a function.
    public init(_ ask: @escaping @Sendable () async throws -> String) { self.ask = ask }

    /// Reads tokens from a file's first line, again and again, as the file may be replaced.
    ///
    /// Reading blocks a thread: the file should be a local one.
    ///
    /// - Parameter path: The file's path, absolute or relative to the working directory.
    /// - Returns: The source.
    public static func file(_ path: String) -> TokenSource {
        TokenSource {
            guard let bytes = FileManager.default.contents(atPath: path) else {
                throw UnreadableFile(path: path)
            }
            return String(decoding: bytes.prefix { $0 != 0x0A && $0 != 0x0D }, as: UTF8.self)
        }
    }

    private struct UnreadableFile: Error, CustomStringConvertible {
        let path: String
        var description: String { "the file \(path) can't be read" }
    }
}
