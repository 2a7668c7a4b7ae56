import EventModel
import Testing

@testable import CloudEvents

@Suite("A CloudEvent in binary mode (HTTP binding 1.0.2, 3.1)") struct BinaryTests {
    private static let required = [
        ("specversion", "1.0"), ("id", "1"), ("source", "/s"), ("type", "t"),
    ]

    private static func event(
        _ more: [(String, String)] = [], type: String? = "application/json", body: [UInt8]
    ) throws(BrokerError) -> CloudEvent {
        try CloudEvent(
            binary: (required + more).map { (name: $0.0, value: $0.1) }, contentType: type,
            body: body, limits: Limits())
    }

    @Test func `is the structured event of the same content`() throws {
        let binary = try Self.event(
            [("time", "2018-04-05T03:56:24Z"), ("partitionkey", "k")],
            type: "application/json; charset=utf-8", body: utf8(" {\"a\": 1.0} "))
        let structured = try CloudEvent(
            structured: utf8(
                #"{"data":{"a": 1.0},"time":"2018-04-05T03:56:24Z","id":"1","source":"/s","#
                    + #""type":"t","specversion":"1.0","partitionkey":"k","#
                    + #""datacontenttype":"application/json; charset=utf-8"}"#),
            limits: Limits())
        #expect(binary == structured)
    }

    @Test(arguments: [
        ("application/json", "1", "1", "data\":1"), ("text/json", "[1]", "[1]", "data\":[1]"),
        ("application/vnd.x+json; a=b", "{}", "{}", "data\":{}"),
        ("text/plain", "a\"b", #""a\"b""#, #"data":"a\"b""#),
        ("text/plain; charset=\"UTF-8\"", "1", "\"1\"", "data\":\"1\""),
        ("application/xml", "<a/>", "\"<a/>\"", "data\":\"<a/>\""),
        ("image/svg+xml", "<a/>", "\"<a/>\"", "data\":\"<a/>\""),
        ("text/plain; charset=latin1", "abc", "\"YWJj\"", "data_base64\":\"YWJj\""),
        ("application/octet-stream", "abc", "\"YWJj\"", "data_base64\":\"YWJj\""),
        ("application/x-ndjson", "1\n2", "\"MQoy\"", "data_base64\":\"MQoy\""),
    ])
    func `keeps data as its content type says`(
        type: String, body: String, data: String, out: String
    ) throws {
        let event = try Self.event(type: type, body: utf8(body)).event
        #expect(text(event.data) == data)
        #expect(try encoded(event).hasSuffix("\"\(out)}"))
    }

    @Test func `keeps bytes that are no text as Base64`() throws {
        let event = try Self.event(type: "text/plain", body: [0xFF, 0x00]).event
        #expect(try encoded(event).hasSuffix(#""data_base64":"/wA="}"#))
        #expect(throws: BrokerError.self) { try Self.event(body: utf8("{")) }
        #expect(throws: BrokerError.self) { try Self.event(type: "json", body: utf8("{}")) }
    }

    @Test func `may have no data, and no content type`() throws {
        let empty = try Self.event(body: []).event
        #expect(text(empty.data) == "null")
        #expect(try encoded(empty).hasSuffix(#""sluicecursor":"k3f91-7"}"#))
        let json = try Self.event(type: nil, body: utf8("[1]")).event
        #expect(try encoded(json).hasSuffix(#""data":[1]}"#))
        let bytes = try Self.event(type: nil, body: utf8("abc")).event
        #expect(try encoded(bytes).hasSuffix(#""data_base64":"YWJj"}"#))
    }

    @Test(arguments: [
        ("datacontenttype", "a/b", "ce-datacontenttype"), ("my-ext", "x", "ce-my-ext"),
        ("id", "2", "ce-id"), ("time", "x", "ce-time"), ("data", "x", "ce-data"),
    ])
    func `refuses a header by its name`(name: String, value: String, field: String) {
        let error = #expect(throws: BrokerError.self) {
            try Self.event([(name, value)], body: utf8("1"))
        }
        #expect(error?.at?.field == field)
    }

    @Test func `names the header that is missing`() {
        let error = #expect(throws: BrokerError.self) {
            try CloudEvent(
                binary: [(name: "id", value: "1")], contentType: nil, body: [], limits: Limits())
        }
        #expect(error?.at?.field == "ce-specversion")
    }
}
