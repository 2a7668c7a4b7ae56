import Testing

@testable import EventModel

@Suite("A trace context (W3C Trace Context)") struct TraceContextTests {
    private static let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    @Test func `is one valid traceparent, and what is valid of tracestate`() {
        let both = TraceContext(
            traceparents: [Self.parent], tracestates: ["congo=t61rcWkgMzE, ", "rojo=00f067"])
        #expect(both?.tracestate == "congo=t61rcWkgMzE, ,rojo=00f067")
        for state in ["", "congo", "=x", "x=", String(repeating: "x", count: 513) + "=1", "a=ä"] {
            let found = TraceContext(traceparents: [Self.parent], tracestates: [state])
            #expect(found?.traceparent == Self.parent)
            #expect(found?.tracestate == nil)
        }
        let many = Array(repeating: "a=b", count: 33)
        #expect(TraceContext(traceparents: [Self.parent], tracestates: many)?.tracestate == nil)
    }

    @Test(arguments: [
        "", "00", parent + "-", parent + "x", parent.uppercased(),
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g",
        "00-0af7651916cd43dd8448eb211c80319cb-7ad6b7169203331-01",
        "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x",
    ])
    func `is not there with a traceparent that is not valid (3.2.2)`(text: String) {
        #expect(TraceContext(traceparents: [text], tracestates: ["a=b"]) == nil)
    }

    @Test func `may be of a later version, and comes once`() {
        let later = "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what"
        #expect(TraceContext(traceparents: [later], tracestates: [])?.traceparent == later)
        #expect(TraceContext(traceparents: [later, later], tracestates: []) == nil)
        #expect(TraceContext(traceparents: [], tracestates: ["a=b"]) == nil)
    }

    @Test(arguments: [
        (String?.none, #"{"traceparent":"P","tracestate":"a=\"b"}"#),
        ("{}", #"{"traceparent":"P","tracestate":"a=\"b"}"#),
        ("{ }", #"{ "traceparent":"P","tracestate":"a=\"b"}"#),
        (#"{"x": "}" }"#, #"{"x": "}" ,"traceparent":"P","tracestate":"a=\"b"}"#),
        (#"{"tracestate":"own=1"}"#, #"{"tracestate":"own=1"}"#),
        (#"{"x":"1","traceparent":"own"}"#, #"{"x":"1","traceparent":"own"}"#),
    ])
    func `is added to an event that has none of its own`(attributes: String?, all: String) throws {
        let trace = try #require(
            TraceContext(traceparents: [Self.parent], tracestates: ["a=\"b"]))
        var event = NewEvent(data: [0x31], attributes: attributes.map { Array($0.utf8) })
        trace.add(to: &event)
        let found = String(decoding: event.attributes ?? [], as: UTF8.self)
        #expect(found.replacing(Self.parent, with: "P") == all)
        #expect(throws: Never.self) {
            try EventValidation.attributes(event.attributes ?? [], limits: Limits())
        }
    }

    /// `Tests/SQL/drain_tests.py` has the same of the log's SQL side.
    static let removals: [(String, String?)] = [
        ("{}", nil), ("{ }", nil), (#"{"traceparent":"x"}"#, nil),
        (#"{ "tracestate" : "x" , "traceparent":"y" }"#, nil),
        (#"{"a":"b"}"#, #"{"a":"b"}"#), (#"{ "a" : "b" }"#, #"{ "a" : "b" }"#),
        (#"{"traceparent":"x","a":"b"}"#, #"{"a":"b"}"#),
        (#"{ "traceparent" : "x" , "a":"b" }"#, #"{"a":"b" }"#),
        (#"{"a":"b","traceparent":"x"}"#, #"{"a":"b"}"#),
        (#"{"a":"b" , "traceparent":"x\"," , "c":"d"}"#, #"{"a":"b"  , "c":"d"}"#),
        (#"{"traceparent":"x", "tracestate":"y" ,"a":"b"}"#, #"{"a":"b"}"#),
        (
            #"{"a":",\"traceparent\":\"x\"","b":"traceparent"}"#,
            #"{"a":",\"traceparent\":\"x\"","b":"traceparent"}"#
        ),
        (#"{"\"traceparent":"x","b":"\\"}"#, #"{"\"traceparent":"x","b":"\\"}"#),
        (#"{"a":"\\","traceparent":"x\\"}"#, #"{"a":"\\"}"#),
    ]

    @Test(arguments: removals) func `is no part of a digest`(attributes: String, rest: String?) {
        let found = TraceContext.removed(from: Array(attributes.utf8))
        #expect(found.map { String(decoding: $0, as: UTF8.self) } == rest)
    }

    @Test func `counts in no limit of attributes`() {
        let state = "a=" + String(repeating: "x", count: 510)
        func object(_ count: Int, _ value: String = "x", trace: String = Self.parent) -> [UInt8] {
            let members = (0..<count).map { #""a\#($0)":"\#(value)""# }
            let traces = [#""traceparent":"\#(trace)""#, #""tracestate":"\#(state)""#]
            return Array("{\((members + traces).joined(separator: ","))}".utf8)
        }
        func check(_ attributes: [UInt8]) throws {
            try EventValidation.attributes(attributes, limits: Limits())
        }
        #expect(throws: Never.self) { try check(object(16)) }
        #expect(throws: BrokerError.self) { try check(object(17)) }
        #expect(throws: BrokerError.self) { try check(object(16, trace: "x")) }
        #expect(throws: Never.self) {
            try check(object(1, String(repeating: "x", count: 1024 - 10)))
        }
        #expect(throws: BrokerError.self) {
            try check(object(1, String(repeating: "x", count: 1024)))
        }
    }
}
