import EventModel
import Filtering
import Testing

@Suite("A filter's text") struct FilterGrammarTests {
    @Test(arguments: [
        ("$.price>100&&$.symbol==\"ACME\"", "$.price > 100 && $.symbol == \"ACME\""),
        (" ( ( $ . a == 1 ) ) ", "$.a == 1"), ("1 < $.a", "$.a > 1"), ("$.a <> 1", "$.a != 1"),
        ("$.\"a\" == \"\\u0061\"", "$.a == \"a\""), ("$.\"a b\"[ * ] == 1", "$.\"a b\"[*] == 1"),
        ("$.a==1||$.b==1&&$.c==1", "$.a == 1 || $.b == 1 && $.c == 1"),
        ("($.a==1||$.b==1)&&$.c==1", "($.a == 1 || $.b == 1) && $.c == 1"),
        ("!($.a==1)", "!($.a == 1)"), ("! EXISTS ($.a)", "!(exists($.a))"),
        ("($.a==1) IS UNKNOWN", "($.a == 1) is unknown"),
        ("$[0,1 to 2,last-1].a.* == null", "$[0, 1 to 2, last - 1].a.* == null"),
        ("$.a like_regex \"^a\\\\d\" flag \"msi\"", "$.a like_regex \"^a\\\\d\" flag \"ism\""),
        ("$.a starts with \"x\"", "$.a starts with \"x\""), ("$.a == $key", "$.a == $key"),
        ("$.last == true", "$.last == true"), ("$.a == -0.50e+1", "$.a == -0.50e+1"),
    ])
    func `is the same for all that are written the same`(text: String, same: String) throws {
        let filter = try EventFilter(text, bytesMax: 4096)
        #expect(filter.text == same)
        #expect(try EventFilter(same, bytesMax: 4096) == filter)
    }

    @Test func `tells filters apart`() throws {
        let filter = try EventFilter("$.a == 1", bytesMax: 4096)
        #expect(try filter != EventFilter("$.a == 2", bytesMax: 4096))
        #expect(try filter.hashValue == EventFilter("$.a==1", bytesMax: 4096).hashValue)
    }

    @Test(arguments: [
        ("", 0), ("$", 1), ("$.a", 3), ("$.a ==", 6), ("$.a = 1", 4), ("$.a == 1 &", 9),
        ("$.a == 1 & $.b == 1", 9), ("$.a == 1 | $.b == 1", 9), ("$.a == 1 && ", 12),
        ("($.a == 1", 9), ("$.a == 1)", 8), ("($.a) == 1", 4), ("!$.a == 1", 1), ("$.a == 'x'", 7),
        ("$.a == \"x", 7), ("$.a == \"\\d\"", 8), ("$.a == \"\\u00g0\"", 8),
        ("$.a == \"\\u0000\"", 8),
        ("$.a == \"\\ud800\"", 8), ("$.a == 01", 7), ("$.a == 1.", 9), ("$.a == 1x", 8),
        ("$.a == +1", 7), ("$.a == True", 7), ("a == 1", 0), ("1 == 1", 0), ("$.-a == 1", 2),
        ("$.a-b == 1", 3), ("$.a + 1 == 1", 4), ("$.a.size() == 1", 4), ("$.** == 1", 2),
        ("$.a ? (@.b == 1)", 4), ("@.a == 1", 0), ("$.a[?(1)] == 1", 4), ("$.a[-1] == 1", 4),
        ("$.a[99999999999] == 1", 4), ("$.a[1 == 1", 6), ("$.a[] == 1", 4), ("strict $.a == 1", 0),
        ("$name == 1", 0), ("$\"key\" == 1", 0), ("$.a starts \"x\"", 11),
        ("$.a starts with $key", 16), ("$.a like_regex \"(\"", 16),
        ("$.a like_regex \"a\" flag \"x\"", 25),
        ("exists $.a", 7), ("exists(1)", 7), ("($.a == 1) is true", 14), ("$.a == 1 is unknown", 9),
        ("$. == 1", 3), ("$.1a == 1", 2), ("lax $.a == 1", 0), ("$.a == 1 == 2", 9),
    ])
    func `is refused at the byte where it goes wrong`(text: String, byte: Int) {
        let error = refusal(text)
        #expect(error?.code == .invalidFilter)
        #expect(error?.at == InputPlace(byte: byte, field: "filter"))
        #expect(error?.message.hasPrefix("At byte \(byte) of the filter: ") == true)
    }

    @Test func `counts bytes, not characters`() {
        #expect(refusal("$.ä == 'x'")?.at?.byte == 8)
    }

    @Test func `names what the language would have, and what to write instead`() throws {
        let words = [
            ("$.a ? (@.b == 1)", "'?()'", "&&"), ("$.a == 1 + 1", "calculate", "quotes"),
            ("$.a.type() == 1", ".type()", "value"), ("$.** == 1", "'**'", ".*"),
            ("$.a", "comparison", "$.active == true"), ("$.a = 1", "'='", "=="),
            ("strict $.a == 1", "mode", "lax"), ("$.a == 'x'", "expected", "double quotes"),
            ("$.a like_regex \"\\d\"", "escape", #"\\"#), ("$x == 1", "$x", "$attributes"),
        ]
        for (text, message, remedy) in words {
            let error = try #require(refusal(text))
            #expect(error.message.contains(message), "\(error.message)")
            #expect(error.remedy.contains(remedy), "\(error.remedy)")
        }
    }

    @Test func `is bounded`() throws {
        #expect(refusal("$.a == 1", bytesMax: 8) == nil)
        #expect(refusal("$.a == 1", bytesMax: 7)?.code == .invalidFilter)
        func nested(_ depth: Int) -> String {
            String(repeating: "(", count: depth) + "$.a == 1" + String(repeating: ")", count: depth)
        }
        #expect(refusal(nested(32)) == nil)
        #expect(refusal(nested(33))?.at?.byte == 32)
        func choice(_ count: Int, _ test: (Int) -> String) -> String {
            (0..<count).map(test).joined(separator: "||")
        }
        #expect(refusal(choice(64) { "$.a\($0)==\($0)" }) == nil)
        #expect(refusal(choice(65) { _ in "$.a==1" })?.code == .invalidFilter)
        #expect(refusal(choice(16) { "$[\($0)]==1" }) == nil)
        #expect(refusal(choice(17) { "$[\($0)]==1" })?.code == .invalidFilter)
        #expect(refusal(choice(64) { "$.*==\($0)" }) == nil)
        #expect(refusal("$\(String(repeating: ".a", count: 32)) == 1") == nil)
        #expect(refusal("$\(String(repeating: ".a", count: 33)) == 1")?.code == .invalidFilter)
    }
}
