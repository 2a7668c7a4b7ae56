/// What a client and a server agreed on (RFC 7692 7.1).
package struct DeflateTerms: Equatable, Sendable {
    /// Messages of this side may refer to earlier ones.
    package var serverKeepsContext: Bool
    package var clientKeepsContext: Bool
    /// How far back messages of this side may refer: 8 to 15 bits.
    package var serverWindowBits: Int
    package var clientWindowBits: Int

    package init(
        serverKeepsContext: Bool, clientKeepsContext: Bool, serverWindowBits: Int,
        clientWindowBits: Int
    ) {
        self.serverKeepsContext = serverKeepsContext
        self.clientKeepsContext = clientKeepsContext
        self.serverWindowBits = serverWindowBits
        self.clientWindowBits = clientWindowBits
    }
}

/// How a server answers offers: always without context on either side, so that a connection that is
/// idle holds no window, and a message is deflated once for all that get it.
package struct DeflatePolicy: Sendable {
    /// What the server's messages may be deflated with; the largest unless a client wants less.
    ///
    /// One who deflates once for many gives a single size here: who wants less is declined, and
    /// gets messages as they are.
    package var serverWindowBits: ClosedRange<Int>

    package init(serverWindowBits: ClosedRange<Int> = 15...15) {
        precondition(
            serverWindowBits.lowerBound >= 8 && serverWindowBits.upperBound <= 15,
            "bug: \(serverWindowBits) window bits")
        self.serverWindowBits = serverWindowBits
    }

    /// Accepts the first offer that it can, in the client's order (RFC 7692 5.1).
    ///
    /// - Returns: The terms and the element that tells them; `nil` if no offer will do, which is no
    ///   fault.
    func answer(to offers: [WebSocketExtension]) -> (terms: DeflateTerms, element: String)? {
        for offer in offers where offer.name == DeflateParameters.name {
            guard let wanted = DeflateParameters(offer.parameters, of: .offer),
                let terms = terms(wanted)
            else { continue }
            let answer = DeflateParameters(
                serverNoContextTakeover: true, clientNoContextTakeover: true,
                serverMaxWindowBits: wanted.serverMaxWindowBits.map { _ in terms.serverWindowBits })
            return (terms, answer.text(of: .answer))
        }
        return nil
    }

    private func terms(_ wanted: DeflateParameters) -> DeflateTerms? {
        let most = wanted.serverMaxWindowBits ?? 15
        guard most >= serverWindowBits.lowerBound else { return nil }
        return DeflateTerms(
            serverKeepsContext: false, clientKeepsContext: false,
            serverWindowBits: min(most, serverWindowBits.upperBound),
            // The inflater is shared, and so is its window: a client may always use all of it.
            clientWindowBits: wanted.clientMaxWindowBits ?? 15)
    }
}

extension DeflateParameters {
    /// What a client and a server have agreed on when this was offered (RFC 7692 7.1).
    ///
    /// - Returns: `nil` if the answer is none to this offer; then the connection must fail.
    func terms(answer: DeflateParameters) -> DeflateTerms? {
        if serverNoContextTakeover, !answer.serverNoContextTakeover { return nil }
        let serverWindowBits = answer.serverMaxWindowBits ?? 15
        if let most = serverMaxWindowBits,
            answer.serverMaxWindowBits == nil || serverWindowBits > most
        {
            return nil
        }
        if answer.clientMaxWindowBits != nil, clientMaxWindowBits == nil { return nil }
        return DeflateTerms(
            serverKeepsContext: !answer.serverNoContextTakeover,
            // What the client has offered of itself holds, whatever the server makes of it.
            clientKeepsContext: !answer.clientNoContextTakeover && !clientNoContextTakeover,
            serverWindowBits: serverWindowBits,
            clientWindowBits: min(answer.clientMaxWindowBits ?? 15, clientMaxWindowBits ?? 15))
    }
}
