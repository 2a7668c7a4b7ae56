import EventModel
import Testing

@testable import CloudEvents

@Suite("A structured CloudEvent (JSON format 1.0.2)") struct StructuredTests {
    /// The examples of 3.2: how they are kept, and how they come out.
    static let examples: [(json: String, event: NewEvent, out: String)] = [
        (
            """
            {
                "specversion" : "1.0",
                "type" : "com.example.someevent",
                "source" : "/mycontext",
                "id" : "A234-1234-1234",
                "time" : "2018-04-05T17:31:00Z",
                "comexampleextension1" : "value",
                "comexampleothervalue" : 5,
                "datacontenttype" : "application/vnd.apache.thrift.binary",
                "data_base64" : "AAEC/w=="
            }
            """,
            NewEvent(
                data: utf8(#""AAEC/w==""#), eventID: "A234-1234-1234",
                attributes: utf8(
                    #"{"specversion":"1.0","source":"/mycontext","type":"com.example.someevent","#
                        + #""comexampleextension1":"value","comexampleothervalue":"5","#
                        + #""datacontenttype":"application/vnd.apache.thrift.binary","#
                        + #""time":"2018-04-05T17:31:00Z","sluice.data":"base64","#
                        + #""sluice.types":"comexampleothervalue:integer"}"#)),
            #"{"specversion":"1.0","id":"A234-1234-1234","source":"/mycontext","#
                + #""type":"com.example.someevent","comexampleextension1":"value","#
                + #""comexampleothervalue":5,"#
                + #""datacontenttype":"application/vnd.apache.thrift.binary","#
                + #""time":"2018-04-05T17:31:00Z","sluicecursor":"k3f91-7","#
                + #""data_base64":"AAEC/w=="}"#
        ),
        (
            #"{"specversion":"1.0","type":"t","source":"/mycontext","id":"B","#
                + #""unsetextension":null,"datacontenttype":"application/xml","#
                + #""data":"<much wow=\"xml\"/>"}"#,
            NewEvent(
                data: utf8(#""<much wow=\"xml\"/>""#), eventID: "B",
                attributes: utf8(
                    #"{"specversion":"1.0","source":"/mycontext","type":"t","#
                        + #""datacontenttype":"application/xml"}"#)),
            #"{"specversion":"1.0","id":"B","source":"/mycontext","type":"t","#
                + #""datacontenttype":"application/xml","sluicecursor":"k3f91-7","#
                + #""data":"<much wow=\"xml\"/>"}"#
        ),
        (
            #"{"specversion":"1.0","type":"t","source":"/mycontext","subject":null,"id":"C","#
                + #""flag":true,"partitionkey":"k","data":{ "appinfoB" : 1.0e400 }}"#,
            NewEvent(
                data: utf8(#"{ "appinfoB" : 1.0e400 }"#), key: "k", eventID: "C",
                attributes: utf8(
                    #"{"specversion":"1.0","source":"/mycontext","type":"t","flag":"true","#
                        + #""sluice.types":"flag:boolean"}"#)),
            #"{"specversion":"1.0","id":"C","source":"/mycontext","type":"t","flag":true,"#
                + #""partitionkey":"k","sluicecursor":"k3f91-7","data":{ "appinfoB" : 1.0e400 }}"#
        ),
        (
            #"{"specversion":"1.0","type":"t","source":"/mycontext","id":"D"}"#,
            NewEvent(
                data: utf8("null"), eventID: "D",
                attributes: utf8(
                    #"{"specversion":"1.0","source":"/mycontext","type":"t","sluice.data":"none"}"#
                )),
            #"{"specversion":"1.0","id":"D","source":"/mycontext","type":"t","#
                + #""sluicecursor":"k3f91-7"}"#
        ),
        (
            // 3.1.1: distinct from no data.
            #"{"specversion":"1.0","type":"t","source":"/mycontext","id":"E","data":null}"#,
            NewEvent(
                data: utf8("null"), eventID: "E",
                attributes: utf8(#"{"specversion":"1.0","source":"/mycontext","type":"t"}"#)),
            #"{"specversion":"1.0","id":"E","source":"/mycontext","type":"t","#
                + #""sluicecursor":"k3f91-7","data":null}"#
        ),
    ]

    @Test(arguments: examples.indices) func `is kept whole, and comes out as it was`(
        index: Int
    ) throws {
        let example = Self.examples[index]
        let event = try CloudEvent(structured: utf8(example.json), limits: Limits())
        #expect(event == CloudEvent(event: example.event, source: "/mycontext"))
        #expect(text(event.event.attributes) == text(example.event.attributes))
        #expect(try encoded(event.event) == example.out)
        let again = try CloudEvent(structured: utf8(example.out), limits: Limits())
        #expect(again == event, "what came out can be published again")
    }

    @Test func `keeps traces as attributes, and no cursor of another topic`() throws {
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        let event = try CloudEvent(
            structured: utf8(
                #"{"specversion":"1.0","type":"t","source":"s","id":"1","sluicecursor":"x-9","#
                    + #""traceparent":"\#(trace)","data":1}"#), limits: Limits())
        #expect(
            text(event.event.attributes)
                == #"{"specversion":"1.0","source":"s","type":"t","traceparent":"\#(trace)"}"#)
    }

    private static func event(_ more: String, without name: String = "") -> String {
        let required = [
            ("specversion", "1.0"), ("id", "1"), ("source", "s"), ("type", "t"),
        ].filter { $0.0 != name }
        return "{" + required.map { #""\#($0)":"\#($1)","# }.joined() + more + #""data":1}"#
    }

    @Test(arguments: ["specversion", "id", "source", "type"])
    func `needs the required attributes ("REQUIRED Attributes")`(name: String) {
        let prefix = "invalid_request \(name)"
        #expect(refusal(Self.event("", without: name)) == "\(prefix) 0")
        #expect(refusal(Self.event("\"\(name)\":null,", without: name)) == "\(prefix) 0")
        #expect(refusal(Self.event("\"\(name)\":\"\",", without: name))?.hasPrefix(prefix) == true)
        #expect(refusal(Self.event("\"\(name)\":1,", without: name))?.hasPrefix(prefix) == true)
    }

    @Test(arguments: [
        ("specversion", "0.3"), ("specversion", "1"), ("source", "not a uri"), ("source", "1:2"),
        ("source", "%zz"), ("source", "a#b#c"), ("source", "ä"),
    ])
    func `refuses a required attribute of another form`(name: String, value: String) {
        let json = Self.event(#""\#(name)":"\#(value)","#, without: name)
        #expect(refusal(json)?.hasPrefix("invalid_request \(name) ") == true)
    }

    @Test(arguments: [
        "https://github.com/cloudevents", "mailto:cncf-wg-serverless@lists.cncf.io",
        "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66", "/cloudevents/spec/pull/123",
        "/sensors/tn-1234567/alerts", "1-555-123-4567", "a?b#c", "%20", "//[::1]:80/",
    ])
    func `takes a source that is a URI reference ("source")`(source: String) {
        #expect(refusal(Self.event(#""source":"\#(source)","#, without: "source")) == nil)
    }

    @Test(arguments: [
        #""time":"yesterday""#, #""time":"2018-04-05""#, #""time":1"#, #""subject":"""#,
        #""dataschema":"/relative""#, #""dataschema":"""#, #""datacontenttype":"json""#,
        #""datacontenttype":"a b/c""#, #""partitionkey":"""#, #""ext":{}"#, #""ext":[1]"#,
        #""ext":1.5"#, #""ext":1e3"#, #""ext":2147483648"#, #""ext":"a\nb""#,
        #""ext":"\ud800""#, #""ext":"\u0000""#, #""ext":"\ufffe""#, #""ext":"\u0085""#,
    ])
    func `refuses an optional attribute or extension of another form`(member: String) {
        let name = member.dropFirst().prefix { $0 != "\"" }
        let found = refusal(Self.event(member + ","))
        #expect(found?.hasPrefix("invalid_") == true)
        #expect(found?.contains(" \(name) ") == true, "\(found ?? "nil")")
    }

    @Test(arguments: [
        #""time":"2018-04-05T17:31:00.123456+02:00""#, #""dataschema":"https://example.com/s?v=1""#,
        #""datacontenttype":"application/json; charset=utf-8""#, #""ext":-2147483648"#,
        #""ext":"""#, #""ext":"😀""#, #""x1234567890123456789012345":"long""#,
    ])
    func `takes what the specification allows`(member: String) {
        #expect(refusal(Self.event(member + ",")) == nil)
    }

    @Test func `is named with lower-case letters and digits ("Naming Conventions")`() {
        for name in ["Ext", "my-ext", "my_ext", "ä", ""] {
            let found = refusal(Self.event("\"\(name)\":\"x\","))
            #expect(found?.hasPrefix("invalid_request \(name) ") == true)
        }
    }

    @Test func `says where it is wrong`() {
        #expect(
            refusal(#"{"specversion":"1.0","time":"x"}"#) == "invalid_request time 28")
        #expect(refusal(#"{"id":"1","id":"2"}"#) == "unknown_field id 10")
        #expect(refusal("[]") == "invalid_json - 0")
        #expect(refusal(#"{"id":"1"} x"#) == "invalid_request specversion 0")
        #expect(refusal(Self.event("") + " x")?.hasPrefix("invalid_json - ") == true)
        #expect(
            refusal(Self.event(#""data_base64":"AA==","#)) == "invalid_request data_base64 0")
        #expect(refusal(Self.event(#""data_base64":"A","#))?.contains(" data_base64 ") == true)
    }

    @Test func `has 16 attributes beside the required ones, and 1 KiB`() {
        func extensions(_ count: Int) -> String {
            (0..<count).map { "\"e\($0)\":true," }.joined()
        }
        #expect(refusal(Self.event(extensions(16))) == nil)
        #expect(refusal(Self.event(extensions(17))) == "invalid_request attributes 0")
        #expect(refusal(Self.event(extensions(70)))?.hasPrefix("invalid_request - ") == true)
        let long = String(repeating: "x", count: 1024)
        #expect(refusal(Self.event(#""subject":"\#(long)","#)) == "invalid_request attributes 0")
        let id = String(repeating: "x", count: 501)
        #expect(
            refusal(Self.event(#""id":"\#(id)","#, without: "id"))?.contains(" id ") == true)
    }

    @Test func `is not larger than an event may be`() {
        var limits = Limits()
        limits.eventBytesMax = 47
        #expect(refusal(Self.event(""), limits: limits) == nil)
        limits.eventBytesMax = 46
        #expect(refusal(Self.event(""), limits: limits)?.hasPrefix("event_too_large") == true)
    }

    @Test func `comes in batches, which may be empty (4)`() throws {
        let one = Self.event("")
        let batch = try CloudEvent.batch(utf8(" [ \(one) , \(one)\n]"), limits: Limits())
        #expect(batch.count == 2)
        #expect(batch[0] == batch[1])
        #expect(try CloudEvent.batch(utf8("[ ]"), limits: Limits()).isEmpty)
        let wrong = #expect(throws: BrokerError.self) {
            try CloudEvent.batch(utf8("[\(one),{}]"), limits: Limits())
        }
        #expect(wrong?.message.hasPrefix("Event 2: ") == true)
        #expect(wrong?.at?.byte == one.utf8.count + 2)
        for broken in ["[", "[\(one)", "[\(one),]", "[\(one)] x", "{}", "[\(one) \(one)]"] {
            #expect(throws: BrokerError.self) {
                try CloudEvent.batch(utf8(broken), limits: Limits())
            }
        }
    }
}
