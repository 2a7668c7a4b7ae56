package import AccessControl
package import Delivery
package import EventModel
package import Publishing
package import SessionProtocol

/// What all sessions and streams of a node use.
package struct SessionServices: Sendable {
    package let log: any EventLog
    package let hub: DeliveryHub
    package let terms: SessionTerms
    /// `nil`: no access control.
    package let authenticate: Authenticate?
    package let tickets: TicketOffice
    /// Pages of these origins may connect, beside those of the broker's own host.
    package let origins: OriginList
    package let publisher: Publisher
    /// Names a session, like `s_8f3k`.
    package let makeSessionName: @Sendable () -> String

    package init(
        log: any EventLog, hub: DeliveryHub, terms: SessionTerms, authenticate: Authenticate?,
        tickets: TicketOffice, origins: OriginList, publisher: Publisher,
        makeSessionName: @escaping @Sendable () -> String
    ) {
        self.log = log
        self.hub = hub
        self.terms = terms
        self.authenticate = authenticate
        self.tickets = tickets
        self.origins = origins
        self.publisher = publisher
        self.makeSessionName = makeSessionName
    }
}

/// What the credentials of an upgrade came to.
enum SessionAdmission: Sendable {
    /// No access control.
    case open
    case identified(Identity)
    /// None were sent: the first message is to bring them.
    case awaitsAuth
    /// A token in the subprotocol, or a ticket, was not accepted; told in the session, as browsers
    /// can't read a failed upgrade.
    case refused(BrokerError)

    var identity: Identity? {
        if case .identified(let identity) = self { identity } else { nil }
    }

    var refusal: BrokerError? {
        if case .refused(let error) = self { error } else { nil }
    }

    var requiresAuth: Bool {
        switch self {
        case .open, .identified: false
        case .awaitsAuth, .refused: true
        }
    }
}
