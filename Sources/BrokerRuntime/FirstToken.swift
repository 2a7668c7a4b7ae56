internal import AccessControl
internal import DurableLog
internal import EventModel

/// The token of this machine's command line: made once in the life of a database, and kept in the
/// connection file.
enum FirstToken {
    /// The connection file's token, which is still good.
    case kept(String)
    /// Made by this start, and to be kept in the connection file.
    case made(Token)
    case missing(MissingToken)

    /// Takes the connection file's token if it is still good, and makes one if the database never
    /// had any.
    ///
    /// It has all rights and no end, so none is made where it could not be kept, and none in place
    /// of one that was revoked: several nodes and many starts make one together.
    ///
    /// - Throws: `database_unavailable` (retry).
    static func prepare(
        _ configuration: BrokerConfiguration, kept: String?, database: TokenDatabase,
        authenticator: Authenticator
    ) async throws(BrokerError) -> FirstToken {
        var reason = "The database has tokens, and the connection file has none of them."
        if let kept {
            switch await authenticator.authenticate(kept) {
            case .success: return .kept(kept)
            case .failure(let error) where error.code != .unauthorized: throw error
            case .failure(let error):
                reason = "The connection file's token is not good. \(error.message)"
            }
        }
        guard configuration.connectionFile != nil else {
            return .missing(
                MissingToken(configuration, reason: "There is no connection file to keep one in."))
        }
        let token = Token.random()
        let isMade = try await database.createFirst(
            id: token.id, name: "first", hash: token.hash)
        return isMade ? .made(token) : .missing(MissingToken(configuration, reason: reason))
    }

    /// The token, if there is one.
    var text: String? {
        switch self {
        case .kept(let text): text
        case .made(let token): token.text
        case .missing: nil
        }
    }

    /// Was it made by this start? Only then may it be shown.
    var isNew: Bool {
        if case .made = self { return true }
        return false
    }
}

/// Why there is no token for this machine's commands, and the command that makes one.
package struct MissingToken: Equatable, Sendable {
    package var reason: String
    /// Prints a token on standard output.
    package var command: String

    package init(reason: String, command: String) {
        self.reason = reason
        self.command = command
    }

    /// The command finds the database where the broker did; what may hold a password is left to the
    /// user.
    init(_ configuration: BrokerConfiguration, reason: String) {
        let key = configuration.databaseURL == nil ? "data_dir" : "database_url"
        let place =
            switch configuration.sources[key] {
            case nil, .environment: ""
            case .file(let path, _): " --config '\(path)'"
            case .flag where configuration.databaseURL != nil: " --database-url '…'"
            case .flag: " --data-dir '\(configuration.dataDirectory)'"
            }
        self.init(reason: reason, command: "sluice token create --name NAME\(place)")
    }
}

extension Authenticator {
    /// As with a completion.
    func authenticate(_ text: String) async -> Result<Identity, BrokerError> {
        await withCheckedContinuation { continuation in
            authenticate(text) { continuation.resume(returning: $0) }
        }
    }
}
