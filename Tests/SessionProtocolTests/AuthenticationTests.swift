import EventModel
import SessionProtocol
import Testing

private let auth = #"{"type":"auth","token":"slc_a_b"}"#

@Suite("A session that needs credentials") struct AuthenticationTests {
    private var session = Session(requiresAuth: true)

    @Test mutating func `is welcomed only once its token is good`() {
        #expect(session.begin() == [])
        #expect(session.says(auth) == [.authenticate(token: "slc_a_b")])
        #expect(!session.conversation.isOpen)
        let actions = session.actions {
            $0.authenticated(identity: "a", expires: nil, now: $1, into: &$2)
        }
        #expect(actions == [session.welcome(), .send(.authenticated(expires: nil))])
        #expect(session.conversation.isOpen)
    }

    @Test mutating func `is closed with 4202 when its token is not`() {
        let error = BrokerError(.unauthorized, "No such token.")
        _ = session.begin()
        _ = session.says(auth)
        let actions = session.actions { $0.authenticationFailed(error, now: $1, into: &$2) }
        #expect(
            actions == [
                .send(.error(ErrorMessage(error, to: "auth"))),
                .close(.unauthorized, reason: "unauthorized"),
            ])
        #expect(session.says(auth) == [])
        #expect(session.conversation.deadline == nil)
    }

    @Test mutating func `may try again when its token could not be checked`() {
        let error = BrokerError(.databaseUnavailable, "Away.")
        _ = session.begin()
        _ = session.says(auth)
        let actions = session.actions { $0.authenticationFailed(error, now: $1, into: &$2) }
        #expect(actions == [.send(.error(ErrorMessage(error, to: "auth")))])
        #expect(session.says(auth) == [.authenticate(token: "slc_a_b")])
    }

    @Test mutating func `has what it sent behind such a token answered`() {
        let error = BrokerError(.databaseUnavailable, "Away.")
        _ = session.begin()
        _ = session.says(auth)
        _ = session.says(#"{"type":"ping","id":7}"#)
        let actions = session.actions { $0.authenticationFailed(error, now: $1, into: &$2) }
        guard actions.count == 2, case .send(.error(let refusal)) = actions[1] else {
            Issue.record("the ping was not answered: \(actions)")
            return
        }
        #expect(refusal.code == "unauthorized" && refusal.id == 7)
    }

    @Test mutating func `is closed with 4203 when it says nothing for ten seconds`() {
        _ = session.begin()
        #expect(session.conversation.deadline == start.instant + .seconds(10))
        #expect(session.ticks(after: .seconds(9)) == [])
        let actions = session.ticks(after: .seconds(1))
        #expect(actions.count == 2)
        #expect(actions.last == .close(.authTimeout, reason: "auth_timeout"))
        #expect(session.ticks(after: .seconds(30)) == [])
    }

    @Test mutating func `is closed with 4203 also when the check takes too long`() {
        _ = session.begin()
        _ = session.says(auth)
        #expect(
            session.ticks(after: .seconds(10)).last == .close(.authTimeout, reason: "auth_timeout"))
        let late = session.actions {
            $0.authenticated(identity: "a", expires: nil, now: $1, into: &$2)
        }
        #expect(late == [])
    }

    @Test mutating func `is told to authenticate first`() {
        _ = session.begin()
        let error = session.isRefused(#"{"type":"ping","id":7}"#)
        #expect(error?.code == "unauthorized")
        #expect(error?.id == 7)
        #expect(error?.to == "ping")
        #expect(session.isRefused("{")?.code == "invalid_json")
    }

    @Test mutating func `may send more before the token is checked, and has it answered then`() {
        _ = session.begin()
        _ = session.says(auth)
        #expect(session.says(#"{"type":"ping","id":1}"#) == [])
        let actions = session.actions {
            $0.authenticated(identity: "a", expires: nil, now: $1, into: &$2)
        }
        #expect(actions.last == .send(.pong(id: 1, time: newYear)))
    }

    @Test mutating func `may say little in one message before it is welcomed`() {
        _ = session.begin()
        _ = session.says(auth)
        #expect(session.conversation.messageBytesMax == 16 << 10)
        _ = session.actions { $0.authenticated(identity: "a", expires: nil, now: $1, into: &$2) }
        #expect(session.conversation.messageBytesMax == 2 << 20)
    }

    @Test mutating func `may not send very much before the token is checked`() {
        _ = session.begin()
        _ = session.says(auth)
        let long =
            #"{"type":"publish","id":1,"topic":"a","data":"\#(String(repeating: "x", count: 40_000))"}"#
        #expect(session.says(long) == [])
        #expect(session.isRefused(long)?.code == "unauthorized")
    }
}

@Suite("A stream with an identity") struct StreamIdentityTests {
    private let terms = SessionTerms(node: "n1", version: "1.0.0")

    @Test func `ends when its token does, between heartbeats`() {
        let expires = newYear.advanced(by: .seconds(30))
        var stream = StreamConversation(terms: terms, expires: expires, now: start)
        var actions: [StreamConversation.Action] = []
        let heartbeat = start.advanced(by: .seconds(20))
        stream.tick(now: heartbeat, into: &actions)
        #expect(actions == [.send(.heartbeat(time: heartbeat.time))])
        #expect(stream.deadline == start.instant + .seconds(30))
        actions = []
        stream.tick(now: start.advanced(by: .seconds(30)), into: &actions)
        #expect(
            actions == [
                .send(.closing(.init(.tokenExpired, reconnectAfter: nil))),
                .close(.tokenExpired, reason: "token_expired"),
            ])
        #expect(stream.deadline == nil)
    }

    @Test func `whose token ends never goes on`() {
        var stream = StreamConversation(terms: terms, expires: nil, now: start)
        var actions: [StreamConversation.Action] = []
        let later = start.advanced(by: .seconds(100_000))
        stream.tick(now: later, into: &actions)
        #expect(actions == [.send(.heartbeat(time: later.time))])
    }
}

@Suite("A session with an identity") struct IdentityTests {
    private var session = Session(
        requiresAuth: true, identity: "a", expires: newYear.advanced(by: .seconds(60)))

    @Test mutating func `is welcomed at once and ends when its token does`() {
        let expires = newYear.advanced(by: .seconds(60))
        #expect(session.begin() == [session.welcome(expires: expires)])
        session.conversation.sent(now: start.instant + .seconds(50))
        #expect(session.conversation.deadline == start.instant + .seconds(60))
        #expect(
            session.ticks(after: .seconds(60)) == [
                .send(.closing(.init(.tokenExpired, reconnectAfter: nil))),
                .close(.tokenExpired, reason: "token_expired"),
            ])
    }

    @Test mutating func `ends when its token is revoked`() {
        _ = session.begin()
        let actions = session.actions { $0.end(.tokenRevoked, now: $1, into: &$2) }
        #expect(
            actions == [
                .send(.closing(.init(.tokenRevoked, reconnectAfter: nil))),
                .close(.tokenRevoked, reason: "token_revoked"),
            ])
    }

    @Test mutating func `may extend it`() {
        _ = session.begin()
        #expect(session.says(#"{"type":"auth","token":"t","id":5}"#) == [.authenticate(token: "t")])
        let later = newYear.advanced(by: .seconds(7200))
        let actions = session.actions {
            $0.authenticated(identity: "a", expires: later, now: $1, into: &$2)
        }
        #expect(actions == [.send(.authenticated(expires: later, id: 5))])
        #expect(session.ticks(after: .seconds(60)) == [.send(.heartbeat(time: session.now.time))])
    }

    @Test mutating func `may not change it`() {
        _ = session.begin()
        _ = session.says(#"{"type":"auth","token":"t"}"#)
        let actions = session.actions {
            $0.authenticated(identity: "b", expires: nil, now: $1, into: &$2)
        }
        guard case .send(.error(let error)) = actions.first, actions.count == 1 else {
            Issue.record("\(actions)")
            return
        }
        #expect(error.code == "forbidden")
        #expect(session.conversation.isOpen)
    }

    @Test mutating func `checks one token at a time, and a bad one ends it`() {
        _ = session.begin()
        _ = session.says(auth)
        #expect(session.isRefused(auth)?.code == "invalid_request")
        let error = BrokerError(.unauthorized, "No such token.")
        let actions = session.actions { $0.authenticationFailed(error, now: $1, into: &$2) }
        #expect(actions.last == .close(.unauthorized, reason: "unauthorized"))
    }
}
