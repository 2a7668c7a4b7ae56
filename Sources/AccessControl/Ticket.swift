/// A ticket, `slt_<secret>`: it opens one request of whoever can't send headers (doc:HTTP,
/// Tickets).
///
/// Only SHA-256 of the secret is stored, as of tokens.
package struct Ticket: Hashable, Sendable {
    package static let prefix = "slt_"
    package static let secretLength = 40
    /// The member of a query that holds it.
    package static let queryItem = "ticket"

    /// Never logged, never stored.
    package let secret: String

    /// A new ticket.
    ///
    /// The generator must be fit for secrets, as `SystemRandomNumberGenerator` is.
    package init(using generator: inout some RandomNumberGenerator) {
        secret = Secret.random(Self.secretLength, using: &generator)
    }

    /// Parses a ticket as a client sent it; `nil` if it is not of the form.
    package init?(_ text: some StringProtocol) {
        guard text.hasPrefix(Self.prefix) else { return nil }
        let secret = text.dropFirst(Self.prefix.count)
        guard Secret.isValid(secret, length: Self.secretLength) else { return nil }
        self.secret = String(secret)
    }

    /// What the client gets.
    package var text: String { Self.prefix + secret }
}

extension Ticket: CustomStringConvertible, CustomDebugStringConvertible {
    /// Without the secret, so that a ticket in a log is no leak.
    package var description: String { "\(Self.prefix)…" }
    package var debugDescription: String { description }
}
