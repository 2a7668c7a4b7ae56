package import EventModel

/// What a request shows to be let in (doc:Session, Credentials).
package enum Credential: Hashable, Sendable {
    case token(String)
    case ticket(String)

    /// Finds the one credential of a request.
    ///
    /// - Parameters:
    ///   - authorization: The fields of that name.
    ///   - offered: The token of an offered subprotocol; a header wins over it.
    ///   - tickets: Those of the query.
    /// - Returns: `nil` without any.
    /// - Throws: `unauthorized`, and `invalid_request` for a ticket beside a token (RFC 6750 2):
    ///   it would not be clear which of them is used up, or whose end counts.
    package static func find(
        authorization: [String], offered: String? = nil, tickets: [String]
    ) throws(BrokerError) -> Credential? {
        let token = try BearerToken.find(in: authorization) ?? offered
        guard let ticket = tickets.first else { return token.map { .token($0) } }
        guard token == nil else {
            throw BrokerError(
                .invalidRequest, "The request has a token and a ticket.",
                remedy: "Send one of them.", at: InputPlace(field: Ticket.queryItem))
        }
        guard tickets.count == 1 else {
            throw BrokerError(
                .unauthorized, "The query has more than one ticket.", remedy: "Send one of them.",
                at: InputPlace(field: Ticket.queryItem))
        }
        return .ticket(ticket)
    }

    /// Asks who shows it; answers once, on any thread.
    package func verify(
        _ authenticate: Authenticate, _ tickets: TicketOffice,
        completion: @escaping Authenticator.Completion
    ) {
        switch self {
        case .token(let text): authenticate(text, completion)
        case .ticket(let text): tickets.redeem(text, completion: completion)
        }
    }
}

extension Credential: CustomStringConvertible, CustomDebugStringConvertible {
    /// Without the secret.
    package var description: String {
        switch self {
        case .token: "token"
        case .ticket: "ticket"
        }
    }
    package var debugDescription: String { description }
}
