import EventModel
import SessionProtocol
import Testing

@Suite("An array of messages") struct MessageBatchTests {
    private var session = Session(isBatched: true)

    @Test mutating func `is answered message by message, in its order`() {
        _ = session.begin()
        let actions = session.says(
            #" [ {"type":"ping","id":1} , {"type":"dance","id":2},{"type":"ping","id":3}] "#)
        #expect(actions.count == 3)
        #expect(actions.first == .send(.pong(id: 1, time: newYear)))
        #expect(actions.last == .send(.pong(id: 3, time: newYear)))
        guard case .send(.error(let error)) = actions[1] else {
            Issue.record("\(actions)")
            return
        }
        // Places are those in the whole text.
        #expect(error.id == 2 && error.at == InputPlace(byte: 36, field: "type"))
        #expect(session.says("[]") == [])
    }

    @Test mutating func `may also be a message alone`() {
        _ = session.begin()
        #expect(session.says(#"{"type":"ping","id":1}"#) == [.send(.pong(id: 1, time: newYear))])
    }

    @Test(arguments: [
        (#"[{"type":"ping","id":1},"#, 24), (#"[{"type":"ping","id":1}"#, 23),
        (#"[{"type":"ping","id":1},{"a":tru}]"#, 32),
        (#"[{"type":"ping","id":1}]x"#, 24), (#"[{"type":"ping","id":1},[]]"#, 24), ("[1]", 1),
        (#"[{"type":"ping","id":1},]"#, 24), ("[,]", 1), ("[", 1),
    ])
    mutating func `that is none is refused as a whole`(json: String, byte: Int) {
        _ = session.begin()
        let error = session.isRefused(json)
        #expect(error?.code == "invalid_json")
        #expect(error?.at == InputPlace(byte: byte))
    }

    @Test mutating func `is bounded`() {
        _ = session.begin()
        let ping = #"{"type":"ping","id":1}"#
        let most = Array(repeating: ping, count: MessageBatch.messagesMax)
        #expect(session.says("[\(most.joined(separator: ","))]").count == most.count)
        let error = session.isRefused("[\((most + [ping]).joined(separator: ","))]")
        #expect(error?.code == "invalid_request" && error?.at?.byte != nil)
    }

    @Test mutating func `holds messages as deep as they may be alone`() {
        _ = session.begin()
        let data =
            String(repeating: "[", count: Limits.nestingMax)
            + String(repeating: "]", count: Limits.nestingMax)
        let actions = session.says(
            #"[{"type":"publish","id":1,"topic":"a","data":\#(data)}]"#)
        guard case .publish(let message) = actions.first else {
            Issue.record("\(actions)")
            return
        }
        #expect(message.event.data == utf8(data))
    }

    @Test mutating func `is none where it was not agreed on`() {
        session = Session()
        _ = session.begin()
        #expect(session.isRefused(#"[{"type":"ping","id":1}]"#)?.code == "invalid_json")
    }

    @Test mutating func `may begin with the token that opens the session`() {
        session = Session(requiresAuth: true, isBatched: true)
        _ = session.begin()
        let text =
            #"[{"type":"auth","token":"slc_a_b"},{"type":"ping","id":1},{"type":"x","id":2}]"#
        #expect(session.says(text) == [.authenticate(token: "slc_a_b")])
        let actions = session.actions {
            $0.authenticated(identity: "a", expires: nil, now: $1, into: &$2)
        }
        #expect(actions.count == 4)
        #expect(
            Array(actions.prefix(3)) == [
                session.welcome(), .send(.authenticated(expires: nil)),
                .send(.pong(id: 1, time: newYear)),
            ])
    }

    @Test mutating func `ends with the fault that ends the session`() {
        session = Session(faultsPerMinuteMax: 2, isBatched: true)
        _ = session.begin()
        let actions = session.says(#"[{},{},{"type":"ping","id":1}]"#)
        #expect(actions.last == .close(.tooManyErrors, reason: "too_many_errors"))
        #expect(actions.count == 4)
    }

    @Test func `is written of several messages, and of one alone is none`() {
        #expect(text(MessageBatch.text(of: [utf8("{}")])) == "{}")
        #expect(text(MessageBatch.text(of: [utf8("{}"), utf8(#"{"a":1}"#)])) == #"[{},{"a":1}]"#)
    }

    @Test func `is taken apart by a client, however long it is`() {
        let ping = #"{"type":"ping","id":1}"#
        let many = Array(repeating: ping, count: MessageBatch.messagesMax + 1)
        let messages = MessageBatch.messages(of: utf8("[\(many.joined(separator: ","))]"))
        #expect(messages.map(text) == many)
        #expect(MessageBatch.messages(of: utf8(ping)).map(text) == [ping])
        #expect(MessageBatch.messages(of: utf8("[1,{}]")).map(text) == ["[1,{}]"])
    }

    @Test(
        arguments: [
            ([("batch", "2")], ErrorCode.invalidRequest, "batch"),
            ([("batch", "1"), ("batch", "1")], .unknownField, "batch"),
            ([("access_token", "slc_secret")], .unknownField, "access_token"),
        ] as [([(String, String)], ErrorCode, String)])
    func `is agreed on in the query, which has nothing else`(
        items: [(String, String)], code: ErrorCode, field: String
    ) throws {
        #expect(try SessionQuery(items: [(name: "batch", value: "1")]).isBatched)
        #expect(try !SessionQuery(items: []).isBatched)
        let error = #expect(throws: BrokerError.self) {
            try SessionQuery(items: items.map { (name: $0.0, value: $0.1) })
        }
        #expect(error?.code == code && error?.at?.field == field)
        #expect(error.map { !"\($0)".contains("slc_secret") } == true)
    }
}
