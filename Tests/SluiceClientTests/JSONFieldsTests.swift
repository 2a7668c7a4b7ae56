import EventModel
import Testing

@testable import SluiceClient

@Suite("An answer of the broker") struct JSONFieldsTests {
    private let fields: JSONFields

    init() throws {
        let text = #"""
             { "text" : "a\nb\u00e9", "n":-5,"big":9007199254740991, "yes": true, "none":null,
              "list":[ {"a":1} , 2,[3], "x" ], "empty":[], "object":{"in":"side"}, "exact": 1.50e+3 }
            """#
        fields = try JSONFields(Array(text.utf8))
    }

    @Test func `gives members of the asked form`() {
        #expect(fields.text("text") == "a\nbé")
        #expect(fields.integer("n") == -5)
        #expect(fields.integer("big") == 9_007_199_254_740_991)
        #expect(fields.flag("yes") == true)
        #expect(fields.object("object")?.text("in") == "side")
        #expect(fields.textOrNumber("n") == "-5")
    }

    @Test func `treats other forms and missing members as absent`() {
        #expect(fields.text("n") == nil)
        #expect(fields.integer("text") == nil)
        #expect(fields.flag("none") == nil)
        #expect(fields.textOrNumber("none") == nil)
        #expect(fields.text("missing") == nil)
    }

    @Test func `keeps the exact text of a member and of elements`() {
        #expect(fields.raw("exact") == Array("1.50e+3".utf8))
        let elements = fields.rawElements("list").map { String(decoding: $0, as: UTF8.self) }
        #expect(elements == [#"{"a":1}"#, "2", "[3]", #""x""#])
        #expect(fields.rawElements("empty").isEmpty)
        #expect(fields.rawElements("n").isEmpty)
    }

    @Test(arguments: ["", "[]", "1", "{", #"{"a":1,"a":2}"#, #"{"a":1} x"#, "{\"a\":\u{1}}"])
    func `that is no object, or not a sound one, is refused`(text: String) {
        #expect(throws: BrokerError.self) { try JSONFields(Array(text.utf8)) }
    }
}
