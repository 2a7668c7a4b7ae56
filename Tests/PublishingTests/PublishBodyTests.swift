import EventModel
import Publishing
import Testing

@Suite("A body with one event") struct SingleBodyTests {
    @Test(arguments: ["1", "[1, 2]", #"{"a" : 1.10}"#, "null", #""\u0000\ud800""#])
    func `is the event byte for byte, without the space around it`(json: String) throws {
        #expect(try PublishBody.single(utf8(json), limits: Limits()) == NewEvent(data: utf8(json)))
        let spaced = utf8(" \r\n\(json)\t\n")
        #expect(try PublishBody.single(spaced, limits: Limits()) == NewEvent(data: utf8(json)))
    }

    @Test func `is refused when it is no JSON or too large`() {
        var limits = Limits()
        limits.eventBytesMax = 3
        let broken = #expect(throws: BrokerError.self) {
            try PublishBody.single(utf8("{"), limits: limits)
        }
        #expect(broken?.code == .invalidJSON)
        let empty = #expect(throws: BrokerError.self) { try PublishBody.single([], limits: limits) }
        #expect(empty?.code == .invalidJSON)
        let large = #expect(throws: BrokerError.self) {
            try PublishBody.single(utf8("1234"), limits: limits)
        }
        #expect(large?.code == .eventTooLarge)
        #expect(throws: Never.self) { try PublishBody.single(utf8("  123  "), limits: limits) }
    }
}

@Suite("A body with one event a line") struct LinesBodyTests {
    @Test(arguments: ["1\n[2]\n3", "1\n[2]\n3\n", "1\r\n[2]\r\n3\r\n", "\n1\n\n \t\r\n[2]\n3\n\n"])
    func `has an event for each line that is not blank`(body: String) throws {
        let events = try PublishBody.lines(utf8(body), limits: Limits())
        #expect(events.map { text($0.data) } == ["1", "[2]", "3"])
    }

    @Test(arguments: [
        ("1\n{\"a\":}\n3", 2, 7), ("1\n2 3\n", 2, 4), ("\n\n{\n}\n", 3, 3), ("1\nx", 2, 2),
    ])
    func `is refused at the line and byte of its first error`(body: String, line: Int, byte: Int) {
        let error = #expect(throws: BrokerError.self) {
            try PublishBody.lines(utf8(body), limits: Limits())
        }
        #expect(error?.code == .invalidJSON)
        #expect(error?.at == InputPlace(byte: byte, line: line))
    }

    @Test func `has limits on lines and events, and needs an event`() {
        var limits = Limits()
        limits.bodyLinesMax = 2
        limits.eventBytesMax = 3
        let many = #expect(throws: BrokerError.self) {
            try PublishBody.lines(utf8("1\n2\n\n3"), limits: limits)
        }
        #expect(many?.code == .bodyTooLarge)
        #expect(many?.at?.line == 4)
        let large = #expect(throws: BrokerError.self) {
            try PublishBody.lines(utf8("1\n1234"), limits: limits)
        }
        #expect(large?.code == .eventTooLarge)
        #expect(large?.at?.line == 2)
        for body in ["", "\n", " \r\n\n"] {
            let empty = #expect(throws: BrokerError.self) {
                try PublishBody.lines(utf8(body), limits: limits)
            }
            #expect(empty?.code == .invalidRequest)
        }
    }
}

@Suite("A body for many topics") struct MultiBodyTests {
    @Test func `names topic and event in each line`() throws {
        let body = utf8(
            #"{"topic":"a","data":{"x" : 1}}"# + "\r\n\n"
                + #"{"data":2,"topic":"b","key":"k","event_id":"e","attributes":{"m" : "n"}}"#)
        let events = try PublishBody.multi(body, limits: Limits())
        #expect(events.map(\.topic.text) == ["a", "b"])
        #expect(
            events.map(\.event) == [
                NewEvent(data: utf8(#"{"x" : 1}"#)),
                NewEvent(
                    data: utf8("2"), key: "k", eventID: "e", attributes: utf8(#"{"m" : "n"}"#)),
            ])
    }

    @Test(
        arguments: [
            (#"{"topic":"a","data":1,"id":"x"}"#, ErrorCode.unknownField, "id"),
            (#"{"topic":"a","topic":"a","data":1}"#, .unknownField, "topic"),
            (#"{"topic":"a b","data":1}"#, .invalidTopic, "topic"),
            (#"{"data":1}"#, .invalidRequest, "topic"),
            (#"{"topic":"a"}"#, .invalidRequest, "data"),
            (#"{"topic":"a","data":1,"key":1}"#, .invalidRequest, "key"),
            (#"{"topic":"a","data":1,"event_id":""}"#, .invalidRequest, "event_id"),
            ("[]", .invalidJSON, nil), ("7", .invalidJSON, nil),
            (#"{"topic":"a","data":1} {}"#, .invalidJSON, nil),
        ] as [(String, ErrorCode, String?)])
    func `is refused at the line of its first error`(line: String, code: ErrorCode, field: String?)
    {
        let good = #"{"topic":"a","data":1}"#
        let error = #expect(throws: BrokerError.self) {
            try PublishBody.multi(utf8("\(good)\n\(line)\n\(good)"), limits: Limits())
        }
        #expect(error?.code == code)
        #expect(error?.at?.line == 2)
        #expect(error?.at?.field == field)
        #expect((error?.at?.byte ?? 0) >= good.utf8.count + 1)
    }

    @Test func `is read as a client wrote it`() throws {
        let event = NewEvent(
            data: utf8(#"{"a":"\n"}"#), key: "ä\"", eventID: "e", attributes: utf8(#"{"m":"n"}"#))
        let line = utf8(
            #"{"topic":"a.b","key":"ä\"","event_id":"e","attributes":{"m":"n"},"#
                + #""data":{"a":"\n"}}"# + "\n")
        let events = try PublishBody.multi(line + line, limits: Limits())
        #expect(events.map(\.topic.text) == ["a.b", "a.b"])
        #expect(events.map(\.event) == [event, event])
        #expect(
            events.map(\.place) == [
                InputPlace(byte: 9, line: 1, field: "topic"),
                InputPlace(byte: line.count + 9, line: 2, field: "topic"),
            ])
    }
}

func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }

func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
