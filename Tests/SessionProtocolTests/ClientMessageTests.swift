import RepeatableChance
import EventModel
import SessionProtocol
import Testing

private func refusal(_ json: String, limits: Limits = Limits()) -> ClientMessageRefusal? {
    #expect(throws: ClientMessageRefusal.self) {
        try ClientMessage.decode(utf8(json), limits: limits)
    }
}

@Suite("A message of a client") struct ClientMessageTests {
    private static func golden() throws -> [(ClientMessage, String)] {
        let eu = try topic("orders.eu")
        let pattern = try TopicPattern("orders.>")
        return [
            (.auth(token: "slc_a_b"), #"{"type":"auth","token":"slc_a_b"}"#),
            (.auth(token: "slc_a_b", id: 0), #"{"type":"auth","id":0,"token":"slc_a_b"}"#),
            (
                .subscribe(SubscribeRequest(id: 1, patterns: [pattern])),
                #"{"type":"subscribe","id":1,"topic":"orders.>","from":"latest"}"#
            ),
            (
                .subscribe(
                    SubscribeRequest(
                        id: -1, patterns: [TopicPattern(eu), try TopicPattern("a.*")],
                        from: .last(10),
                        cursors: [eu: try cursor("k3f9-41")],
                        options: SubscriptionOptions(
                            overflow: .dropOldest, maxRate: 20, credit: 0),
                        filter: "x")),
                #"{"type":"subscribe","id":-1,"topics":["orders.eu","a.*"],"from":"last:10","cursors":{"orders.eu":"k3f9-41"},"overflow":"drop_oldest","credit":0,"filter":"x","max_rate":20}"#
            ),
            (
                .cursors(id: 1, [eu: try cursor("k3f9-41"), try topic("a"): try cursor("e-2")]),
                #"{"type":"cursors","id":1,"cursors":{"a":"e-2","orders.eu":"k3f9-41"}}"#
            ),
            (.unsubscribe(id: 1), #"{"type":"unsubscribe","id":1}"#),
            (.credit(id: 1, events: 100), #"{"type":"credit","id":1,"events":100}"#),
            (
                .update(id: 1, SubscriptionChanges(maxRate: 20)),
                #"{"type":"update","id":1,"max_rate":20}"#
            ),
            (
                .update(id: 1, SubscriptionChanges(filter: #"$.a == "b""#)),
                #"{"type":"update","id":1,"filter":"$.a == \"b\""}"#
            ),
            (
                .update(id: 1, SubscriptionChanges(maxRate: .some(nil), filter: .some(nil))),
                #"{"type":"update","id":1,"max_rate":null,"filter":null}"#
            ),
            (
                .publish(
                    PublishMessage(
                        id: 2, topic: eu,
                        event: NewEvent(
                            data: utf8(#"{"a" : 1.0}"#), key: "42", eventID: "a1",
                            attributes: utf8(#"{"x":"y"}"#)),
                        ifHead: try cursor("k3f9-41"))),
                #"{"type":"publish","id":2,"topic":"orders.eu","key":"42","event_id":"a1","attributes":{"x":"y"},"if_head":"k3f9-41","data":{"a" : 1.0}}"#
            ),
            (.ping(id: 9_007_199_254_740_991), #"{"type":"ping","id":9007199254740991}"#),
        ]
    }

    @Test func `has exactly these bytes, and is read as it was written`() throws {
        for (message, json) in try Self.golden() {
            #expect(text(message.encode()) == json)
            #expect(try ClientMessage.decode(utf8(json), limits: Limits()) == message)
        }
    }

    @Test func `may have its fields in any order, spaced and escaped`() throws {
        let json = #" { "data" : [ 1 ] , "t\u006fpic":"a","id":2, "type":"publish" }"# + "\n"
        let expected = PublishMessage(
            id: 2, topic: try topic("a"), event: NewEvent(data: utf8("[ 1 ]")))
        #expect(try ClientMessage.decode(utf8(json), limits: Limits()) == .publish(expected))
    }

    @Test func `may name one topic twice in a list`() throws {
        let json = #"{"type":"subscribe","id":1,"topics":["a", "b" ,"a"]}"#
        let expected = SubscribeRequest(
            id: 1, patterns: [try TopicPattern("a"), try TopicPattern("b")])
        #expect(try ClientMessage.decode(utf8(json), limits: Limits()) == .subscribe(expected))
    }

    @Test(arguments: [
        (#"{"type":"ping","id":3,"x":1}"#, "x", 22), (#"{"type":"ping","id":3,"id":4}"#, "id", 22),
        (#"{"type":"ping","id":3,"\u0069d":4}"#, "id", 22),
        (#"{"type":"subscribe","id":3,"topic":"a","ack":1}"#, "ack", 39),
        (#"{"type":"cursors","id":3,"cursors":{},"from":1}"#, "from", 38),
        (#"{"type":"publish","id":3,"topic":"a","data":1,"events":1}"#, "events", 46),
        (#"{"type":"update","id":3,"overflow":"replay"}"#, "overflow", 24),
    ])
    func `with an unknown or a second field is refused by the field's name`(
        json: String, field: String, byte: Int
    ) {
        let refusal = refusal(json)
        #expect(refusal?.error.code == .unknownField)
        #expect(refusal?.error.at == InputPlace(byte: byte, field: field))
        #expect(refusal?.id == 3)
    }

    @Test(arguments: [
        (#"{"type":"ping"}"#, "id"), (#"{"type":"ping","id":"3"}"#, "id"),
        (#"{"type":"ping","id":1.0}"#, "id"),
        (#"{"type":"ping","id":1e3}"#, "id"), (#"{"type":"ping","id":null}"#, "id"),
        (#"{"type":"ping","id":9007199254740992}"#, "id"), (#"{"id":1}"#, "type"),
        (#"{"type":1,"id":1}"#, "type"), (#"{"type":"pong","id":1}"#, "type"), ("{}", "type"),
        (#"{"type":"auth"}"#, "token"), (#"{"type":"auth","token":5}"#, "token"),
        (#"{"type":"credit","id":1,"events":0}"#, "events"),
        (#"{"type":"credit","id":1}"#, "events"), (#"{"type":"credit","events":1}"#, "id"),
        (#"{"type":"update","id":1}"#, "max_rate"), (#"{"type":"update","max_rate":1}"#, "id"),
        (#"{"type":"update","id":1,"max_rate":0}"#, "max_rate"),
        (#"{"type":"update","id":1,"max_rate":"20"}"#, "max_rate"),
        (#"{"type":"update","id":1,"filter":5}"#, "filter"),
        (#"{"type":"subscribe","id":1,"topic":"a","max_rate":0}"#, "max_rate"),
        (#"{"type":"subscribe","id":1,"topic":"a","max_rate":null}"#, "max_rate"),
        (#"{"type":"subscribe","id":1}"#, "topic"),
        (#"{"type":"subscribe","id":1,"topics":[]}"#, "topics"),
        (#"{"type":"subscribe","id":1,"topics":"a"}"#, "topics"),
        (#"{"type":"subscribe","id":1,"topics":[1]}"#, "topics"),
        (#"{"type":"subscribe","id":1,"topic":"a","topics":["b"]}"#, "topics"),
        (#"{"type":"subscribe","id":1,"topic":"a","overflow":"explode"}"#, "overflow"),
        (#"{"type":"subscribe","id":1,"topic":"a","credit":-1}"#, "credit"),
        (#"{"type":"subscribe","id":1,"topic":"a","cursors":[]}"#, "cursors"),
        (#"{"type":"subscribe","id":1,"topic":"a","cursors":{"a":null}}"#, "cursors"),
        (#"{"type":"subscribe","id":1,"topic":"a","cursors":{"a":"17"}}"#, "cursors"),
        (#"{"type":"subscribe","id":1,"topic":"a","from":5}"#, "from"),
        (#"{"type":"cursors","id":1}"#, "cursors"), (#"{"type":"cursors","cursors":{}}"#, "id"),
        (#"{"type":"cursors","id":1,"cursors":{"a":"17"}}"#, "cursors"),
        (#"{"type":"publish","id":1,"data":1}"#, "topic"),
        (#"{"type":"publish","id":1,"topic":"a"}"#, "data"),
        (#"{"type":"publish","id":1,"topic":"a","data":1,"key":""}"#, "key"),
        (#"{"type":"publish","id":1,"topic":"a","data":1,"key":null}"#, "key"),
        (#"{"type":"publish","id":1,"topic":"a","data":1,"event_id":7}"#, "event_id"),
        (#"{"type":"publish","id":1,"topic":"a","data":1,"attributes":[]}"#, "attributes"),
        (#"{"type":"publish","id":1,"topic":"a","data":1,"attributes":{"x":1}}"#, "attributes"),
        (#"{"type":"publish","id":1,"topic":"a","data":1,"if_head":"41"}"#, "if_head"),
    ])
    func `with a wrong or missing value is refused by the field's name`(json: String, field: String)
    {
        let refusal = refusal(json)
        #expect(refusal?.error.code == .invalidRequest)
        #expect(refusal?.error.at?.field == field)
    }

    @Test(arguments: [
        (#"{"type":"subscribe","id":1,"topic":"a..b"}"#, ErrorCode.invalidPattern),
        (#"{"type":"subscribe","id":1,"topic":"a","from":"now"}"#, .invalidStart),
        (#"{"type":"subscribe","id":1,"topic":"a","from":"mark:x"}"#, .invalidStart),
        (#"{"type":"subscribe","id":1,"topic":"a","cursors":{"a.*":"e-1"}}"#, .invalidTopic),
        (
            #"{"type":"subscribe","id":1,"topic":"a","cursors":{"a":"e-1","a":"e-1"}}"#,
            .unknownField
        ),
        (#"{"type":"publish","id":1,"topic":"a.*","data":1}"#, .invalidTopic),
        (#"{"type":"publish","id":1,"topic":"a","data":1,"key":"a\u0000"}"#, .invalidJSON),
        (#"{"type":"publish","id":1,"topic":"a","data":1,"key":"\ud800"}"#, .invalidJSON),
        (#"{"type":"publish","id":1,"topic":"a","data":01}"#, .invalidJSON),
        (#"[{"type":"ping","id":1}]"#, .invalidJSON), (#""ping""#, .invalidJSON),
        ("", .invalidJSON),
        (#"{"type":"ping","id":1}{}"#, .invalidJSON), (#"{"type":"ping","id":1"#, .invalidJSON),
    ])
    func `is refused with the code that fits`(json: String, code: ErrorCode) {
        let refusal = refusal(json)
        #expect(refusal?.error.code == code)
        #expect(refusal?.error.at != nil)
    }

    @Test func `that breaks off still tells its id and type`() {
        let refusal = refusal(#"{"type":"publish","id":7,"data":{"a":tru}}"#)
        #expect(refusal?.error.at == InputPlace(byte: 40))
        #expect(refusal?.id == 7)
        #expect(refusal?.to == "publish")
    }

    @Test func `with too many fields is refused before they are all kept`() {
        let many = (0..<100).map { #""f\#($0)":0"# }.joined(separator: ",")
        #expect(refusal("{\(many)}")?.error.code == .unknownField)
    }

    @Test func `has limits on topics, cursors and event`() {
        var limits = Limits()
        limits.topicsPerSubscribeMax = 2
        limits.eventBytesMax = 5
        let topics = refusal(#"{"type":"subscribe","id":1,"topics":["a","b","c"]}"#, limits: limits)
        #expect(topics?.error.at?.field == "topics")
        let cursors = refusal(
            #"{"type":"subscribe","id":1,"topic":"*","cursors":{"a":"e-1","b":"e-1","c":"e-1"}}"#,
            limits: limits)
        #expect(cursors?.error.at?.field == "cursors")
        #expect(
            refusal(#"{"type":"publish","id":1,"topic":"a","data":123456}"#, limits: limits)?.error
                .code
                == .eventTooLarge)
        #expect(
            refusal(
                #"{"type":"publish","id":1,"topic":"a","data":12345,"key":"k"}"#, limits: limits)?
                .error.code == .eventTooLarge)
    }

    @Test func `never crashes the decoder, however it is mutated`() throws {
        var generator = SeededGenerator()
        let messages = try Self.golden().map { utf8($0.1) }
        for _ in 0..<3000 {
            var bytes = messages.randomElement(using: &generator) ?? []
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let index = Int.random(in: bytes.indices, using: &generator)
                bytes[index] = UInt8.random(in: 0x20...0x7F, using: &generator)
            }
            guard let message = try? ClientMessage.decode(bytes, limits: Limits()) else { continue }
            let again = try ClientMessage.decode(message.encode(), limits: Limits())
            #expect(again == message, "seed \(generator.seed): \(text(bytes))")
        }
    }
}
