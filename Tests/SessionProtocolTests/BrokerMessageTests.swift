import EventModel
import SessionProtocol
import Testing

@Suite("A message of the broker") struct BrokerMessageTests {
    /// Every message and its bytes, as doc:Session shows them.
    private static func golden() throws -> [(BrokerMessage, String)] {
        let eu = try topic("orders.eu")
        let full = NewEvent(
            data: utf8(#"{ "n":1.10 }"#), key: "42", eventID: #"a"1"#,
            attributes: utf8(#"{"x":"y"}"#))
        let limit = BrokerError(
            .rateLimited, "Slow.", remedy: "Wait.", at: InputPlace(byte: 17, line: 2, field: "f"),
            retryAfter: .milliseconds(500))
        var refused = ErrorMessage(BrokerError(.invalidTopic, "No.", remedy: "Do."))
        refused.at = InputPlace()
        var moved = BrokerError(.headMoved, "No.", remedy: "Read.")
        moved.head = try cursor("k3f9-42")
        return [
            (
                .welcome(
                    .init(
                        session: "s_8f", node: "n1", version: "1.0.0", time: newYear, expires: nil,
                        limits: Limits())),
                #"{"type":"welcome","protocol":"sluice.v1","session":"s_8f","node":"n1","version":"1.0.0","time":"\#(newYearText)","heartbeat_ms":20000,"expires":null,"limits":{"message_bytes":2097152,"event_bytes":1048576,"subscriptions":1000,"topics_per_subscribe":10000,"filter_bytes":4096}}"#
            ),
            (
                .authenticated(expires: newYear),
                #"{"type":"authenticated","expires":"\#(newYearText)"}"#
            ),
            (
                .authenticated(expires: nil, id: 4),
                #"{"type":"authenticated","id":4,"expires":null}"#
            ),
            (
                .subscribed(
                    .init(
                        id: 1,
                        topics: [
                            .init(
                                topic: eu, cursor: try cursor("k3f9-17"), earliest: 3, latest: 42),
                            .init(topic: try topic("a"), cursor: nil, earliest: 1, latest: 0),
                        ],
                        resumeFrom: "mark:x", granted: [try TopicPattern("orders.eu.>")])),
                #"{"type":"subscribed","id":1,"topics":{"orders.eu":{"cursor":"k3f9-17","earliest":3,"latest":42},"a":{"cursor":null,"earliest":1,"latest":0}},"resume_from":"mark:x","granted":["orders.eu.>"]}"#
            ),
            (.subscribed(.init(id: 1, topics: [])), #"{"type":"subscribed","id":1,"topics":{}}"#),
            (
                .event(
                    EventMessage(
                        topic: eu, epoch: try cursor("k3f9-18").epoch,
                        event: Event(offset: 18, time: newYear, content: full))),
                #"{"type":"event","topic":"orders.eu","offset":18,"cursor":"k3f9-18","time":"\#(newYearText)","key":"42","event_id":"a\"1","attributes":{"x":"y"},"data":{ "n":1.10 }}"#
            ),
            (
                .event(
                    EventMessage(
                        topic: eu, epoch: try cursor("k3f9-0").epoch,
                        event: Event(
                            offset: 9_007_199_254_740_991, time: newYear,
                            content: NewEvent(data: utf8("null"))))),
                #"{"type":"event","topic":"orders.eu","offset":9007199254740991,"cursor":"k3f9-9007199254740991","time":"\#(newYearText)","data":null}"#
            ),
            (.live(id: 1), #"{"type":"live","id":1}"#),
            (.live(id: nil), #"{"type":"live"}"#),
            (.lagging(id: 1, behind: 5210), #"{"type":"lagging","id":1,"behind":5210}"#),
            (
                .gap(
                    .init(
                        topic: eu, epoch: try cursor("k3f9-0").epoch, from: 19, to: 30,
                        reason: .retention)),
                #"{"type":"gap","topic":"orders.eu","from":19,"to":30,"cursor":"k3f9-30","reason":"retention"}"#
            ),
            (
                .reset(.init(topic: eu, cursor: try cursor("m1-0"), reason: .recreated)),
                #"{"type":"reset","topic":"orders.eu","cursor":"m1-0","reason":"recreated"}"#
            ),
            (
                .reset(.init(topic: eu, cursor: nil, reason: .deleted)),
                #"{"type":"reset","topic":"orders.eu","cursor":null,"reason":"deleted"}"#
            ),
            (
                .cursor([eu: try cursor("k3f9-9000"), try topic("a"): try cursor("k3f9-1")]),
                #"{"type":"cursor","cursors":{"a":"k3f9-1","orders.eu":"k3f9-9000"}}"#
            ),
            (
                .published(
                    .init(
                        id: 2, topic: eu, cursor: try cursor("k3f9-42"), time: newYear,
                        isRepeat: false)),
                #"{"type":"published","id":2,"topic":"orders.eu","offset":42,"cursor":"k3f9-42","time":"\#(newYearText)","repeated":false}"#
            ),
            (.updated(id: 1), #"{"type":"updated","id":1}"#),
            (.unsubscribed(id: 1), #"{"type":"unsubscribed","id":1}"#),
            (
                .unsubscribed(
                    id: 1, notice: .init(code: "grant_revoked", message: "m", remedy: "r")),
                #"{"type":"unsubscribed","id":1,"code":"grant_revoked","message":"m","remedy":"r"}"#
            ),
            (
                .error(ErrorMessage(limit, id: 2, to: "publish")),
                #"{"type":"error","id":2,"to":"publish","code":"rate_limited","message":"Slow.","remedy":"Wait.","retry_after_ms":500,"at":{"byte":17,"line":2,"field":"f"}}"#
            ),
            (
                .error(ErrorMessage(moved, id: 2, to: "publish")),
                #"{"type":"error","id":2,"to":"publish","code":"head_moved","message":"No.","remedy":"Read.","cursor":"k3f9-42"}"#
            ),
            (
                .error(ErrorMessage(BrokerError(.invalidTopic, "No.", remedy: "Do."))),
                #"{"type":"error","code":"invalid_topic","message":"No.","remedy":"Do."}"#
            ),
            (.pong(id: 3, time: newYear), #"{"type":"pong","id":3,"time":"\#(newYearText)"}"#),
            (.heartbeat(time: newYear), #"{"type":"heartbeat","time":"\#(newYearText)"}"#),
            (
                .closing(.init(.drain, reconnectAfter: .milliseconds(3200))),
                #"{"type":"closing","code":4001,"reason":"drain","reconnect_after_ms":3200}"#
            ),
            (
                .closing(.init(.tooManyErrors, reconnectAfter: nil)),
                #"{"type":"closing","code":4502,"reason":"too_many_errors","reconnect_after_ms":null}"#
            ),
        ]
    }

    @Test func `has exactly the bytes of the protocol`() throws {
        for (message, expected) in try Self.golden() {
            #expect(text(message.encode()) == expected)
        }
    }

    @Test func `is read as it was written`() throws {
        for (message, bytes) in try Self.golden() {
            #expect(try BrokerMessage.decode(utf8(bytes)) == message)
        }
    }

    @Test func `may have fields and types that a client does not know`() throws {
        #expect(try BrokerMessage.decode(utf8(#"{"type":"novelty","x":1}"#)) == nil)
        let live = utf8(#" { "later" : [ {} ] , "id" : 1, "type" : "live", "later":2 } "#)
        #expect(try BrokerMessage.decode(live) == .live(id: 1))
    }

    @Test func `may give reasons and codes that a client does not know`() throws {
        let gap = utf8(#"{"type":"gap","topic":"a","from":1,"to":2,"cursor":"e-2","reason":"new"}"#)
        guard case .gap(let message) = try BrokerMessage.decode(gap) else {
            Issue.record("not a gap")
            return
        }
        #expect(message.reason == "new")
        let error = utf8(#"{"type":"error","code":"new_code","message":"m","remedy":"r"}"#)
        guard case .error(let problem) = try BrokerMessage.decode(error) else {
            Issue.record("not an error")
            return
        }
        #expect(problem.code == "new_code")
        #expect(problem.brokerError.code == .internal)
        #expect(problem.brokerError.retryAfter == nil)
    }

    @Test(arguments: [
        "", "[]", "{", #"{"type":1}"#, "{}", #"{"type":"event","topic":"a"}"#,
        #"{"type":"event","topic":"a","offset":2,"cursor":"e-1","time":"2026-01-01T00:00:00Z","data":1}"#,
        #"{"type":"reset","topic":"a","cursor":1,"reason":"x"}"#,
        #"{"type":"heartbeat","time":"x"}"#,
        #"{"type":"cursor","cursors":[]}"#, #"{"type":"closing","code":70000,"reason":"x"}"#,
        #"{"type":"live","id":1.5}"#, #"{"type":"live","id":9007199254740992}"#,
    ])
    func `of another form is refused`(json: String) {
        #expect(throws: BrokerError.self) { try BrokerMessage.decode(utf8(json)) }
    }

    @Test func `keeps an event's data byte for byte`() throws {
        let data = #"[ 1.0e+2,"\u00e4\ud800", 12345678901234567890123 , {"a" :1,"a":2}]"#
        let json =
            #"{"type":"event","topic":"a","offset":1,"cursor":"e-1","time":"\#(newYearText)","data": \#(data) }"#
        guard case .event(let message) = try BrokerMessage.decode(utf8(json)) else {
            Issue.record("not an event")
            return
        }
        #expect(text(message.event.content.data) == data)
    }
}

@Suite("A close code") struct CloseCodeTests {
    @Test(arguments: CloseCode.allCases)
    func `has its own name`(code: CloseCode) {
        #expect(CloseCode.allCases.filter { $0.name == code.name } == [code])
        #expect(code.name.allSatisfy { $0.isLowercase || $0 == "_" })
    }

    @Test(
        arguments: [
            (nil, .reconnect), (1000, .stop), (1001, .reconnect), (1002, .stop), (1003, .stop),
            (1006, .reconnect), (1007, .stop), (1009, .stop), (1011, .reconnect),
            (1013, .reconnect),
            (4000, .reconnect), (4199, .reconnect), (4200, .newCredentials),
            (4499, .newCredentials),
            (4500, .stop), (4999, .stop),
        ] as [(UInt16?, CloseCode.Disposition)])
    func `says by its range what to do, also when it is new`(
        code: UInt16?, disposition: CloseCode.Disposition
    ) {
        #expect(CloseCode.Disposition(closeCode: code) == disposition)
    }
}
