import EventModel
import Testing

@Suite("Grants as JSON") struct GrantsTests {
    private func text(_ grants: Grants) -> String { String(decoding: grants.json, as: UTF8.self) }

    @Test func `come back as they were written`() throws {
        let some = Grants(
            publish: [try TopicPattern("orders.>")],
            subscribe: [try TopicPattern("*.public.>"), try TopicPattern("a")], admin: [.topics])
        #expect(
            text(some)
                == #"{"publish":["orders.>"],"subscribe":["*.public.>","a"],"admin":["topics"]}"#)
        for grants in [some, .everything, .nothing] {
            #expect(try Grants(json: grants.json) == grants)
        }
    }

    @Test func `grant nothing of what is absent`() throws {
        #expect(try Grants(json: Array("{}".utf8)) == .nothing)
        let grants = try Grants(json: Array(#"{"publish":["a"]}"#.utf8))
        #expect(grants == Grants(publish: [try TopicPattern("a")]))
    }

    @Test(
        arguments: [
            "", "[]", "null", #"{"publish":"a"}"#, #"{"publish":[1]}"#, #"{"publish":["a..b"]}"#,
            #"{"admin":["all"]}"#, #"{"read":["a"]}"#, #"{"subscribe":["a"]"#,
        ])
    func `are refused when they are none`(json: String) {
        #expect(throws: BrokerError.self) { try Grants(json: Array(json.utf8)) }
    }

    @Test func `are refused when they are too many`() throws {
        let patterns = (0...Grants.patternsMax).map { #""t\#($0)""# }
        let error = #expect(throws: BrokerError.self) {
            try Grants(json: Array(#"{"publish":[\#(patterns.joined(separator: ","))]}"#.utf8))
        }
        #expect(error?.message == "publish has 101 patterns; 100 are allowed.")
    }
}
