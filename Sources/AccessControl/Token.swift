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
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        let start = Self.prefix.utf8.count
        let mark = start + Self.idLength
        guard bytes.count == mark + 1 + Self.secretLength, text.hasPrefix(Self.prefix),
            bytes[mark] == UInt8(ascii: "_")
        else { return nil }
        let (idBytes, secretBytes) = (bytes[start..<mark], bytes[(mark + 1)...])
        guard idBytes.allSatisfy(Secret.isByte), secretBytes.allSatisfy(Secret.isByte) else {
            return nil
        }
        id = String(decoding: idBytes, as: UTF8.self)
        secret = String(decoding: secretBytes, as: UTF8.self)
    }

    /// What the user keeps; shown once.
    package var text: String { "\(Self.prefix)\(id)_\(secret)" }
}

extension Token: CustomStringConvertible, CustomDebugStringConvertible {
    /// Without the secret, so that a token in a log is no leak.
    package var description: String { "\(Self.prefix)\(id)_…" }
    package var debugDescription: String { description }
}

/// Compares without telling by its time where two hashes, or two secrets, differ.
package func isEqualInConstantTime(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
    guard left.count == right.count else { return false }
    var difference: UInt8 = 0
    for index in left.indices { difference |= left[index] ^ right[index] }
    return difference == 0
}
