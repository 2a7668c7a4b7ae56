/// A bearer token, `slc_<id>_<secret>`: the id finds it, the secret proves it (doc:Session,
/// Credentials).
///
/// Only SHA-256 of the secret is stored. The secret has 40 of 62 characters, 238 random bits, so a
/// slow hash would protect nothing more.
package struct Token: Hashable, Sendable {
    package static let prefix = "slc_"
    package static let idLength = 10
    package static let secretLength = 40

    /// Names the token in lists, logs and the database; no secret.
    package let id: String
    /// Never logged, never stored.
    package let secret: String

    /// A new token.
    ///
    /// The generator must be fit for secrets, as `SystemRandomNumberGenerator` is.
    package init(using generator: inout some RandomNumberGenerator) {
        id = Secret.random(Self.idLength, using: &generator)
        secret = Secret.random(Self.secretLength, using: &generator)
    }

    /// Parses a token as a client sent it; `nil` if it is not of the form.
    package init?(_ text: some StringProtocol) {
        guard text.hasPrefix(Self.prefix) else { return nil }
        let parts = text.dropFirst(Self.prefix.count).split(
            separator: "_", omittingEmptySubsequences: false)
        guard parts.count == 2, Secret.isValid(parts[0], length: Self.idLength),
            Secret.isValid(parts[1], length: Self.secretLength)
        else { return nil }
        id = String(parts[0])
        secret = String(parts[1])
    }

    /// What the user keeps; shown once.
    package var text: String { "\(Self.prefix)\(id)_\(secret)" }
}

extension Token: CustomStringConvertible, CustomDebugStringConvertible {
    /// Without the secret, so that a token in a log is no leak.
    package var description: String { "\(Self.prefix)\(id)_…" }
    package var debugDescription: String { description }
}

/// Compares without telling by its time where two hashes differ.
package func isEqualInConstantTime(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    guard left.count == right.count else { return false }
    var difference: UInt8 = 0
    for (one, other) in zip(left, right) { difference |= one ^ other }
    return difference == 0
}
