import EventModel
import Filtering
import Testing

@Suite("A filter") struct EventFilterTests {
    @Test func `matches what fulfils its condition`() throws {
        let filter = #"$.price > 100 && $.symbol == "ACME""#
        #expect(try matches(filter, #"{"symbol":"ACME","price":100.01}"#))
        #expect(try !matches(filter, #"{"symbol":"ACME","price":100}"#))
        #expect(try !matches(filter, #"{"symbol":"ACMEX","price":101}"#))
        #expect(try !matches(filter, #"{"symbol":"ACME"}"#))
        #expect(try !matches(filter, "null"))
    }

    @Test(arguments: [
        (#"$.a.b == 1"#, #"{"a":{"b":1}}"#), (#"$."a b" == 1"#, #"{"a b":1}"#),
        (#"$."ä\"" == 1"#, #"{"\u00e4\"":1}"#), (#"$.größe == 1"#, #"{"größe":1}"#),
        (#"$.*.b == 1"#, #"{"a":2,"c":{"b":1}}"#), (#"$.a[*] == 3"#, #"{"a":[1,2,3]}"#),
        (#"$.a[1] == 2"#, #"{"a":[1,2,3]}"#), (#"$.a[last] == 3"#, #"{"a":[1,2,3]}"#),
        (#"$.a[last - 1] == 2"#, #"{"a":[1,2,3]}"#), (#"$.a[1 to 2] == 3"#, #"{"a":[1,2,3]}"#),
        (#"$.a[0, 2] == 3"#, #"{"a":[1,2,3]}"#), (#"$.a[1 to last].b == 1"#, #"{"a":[0,{"b":1}]}"#),
        (#"$[*].a.b[0] == 1"#, #"[{"a":{"b":[1]}}]"#), (#"$ == 7"#, "7"),
    ])
    func `follows a path`(filter: String, data: String) throws {
        #expect(try matches(filter, data))
        #expect(try !matches("!(\(filter))", data))
    }

    @Test func `takes the elements of an array for it, and what is none for its own first`() throws
    {
        #expect(try matches("$.a == 2", #"{"a":[1,2]}"#))
        #expect(try matches("$.a.b == 2", #"{"a":[{"b":1},{"b":2}]}"#))
        #expect(try !matches("$.a.b == 2", #"{"a":[[{"b":2}]]}"#))
        #expect(try matches("$.a[0] == 1", #"{"a":1}"#))
        #expect(try matches("$.a[*][last].b == 1", #"{"a":{"b":1}}"#))
        #expect(try !matches("$.a[1] == 1", #"{"a":1}"#))
        #expect(try !matches("$.a == 1", #"{"a":[[1]]}"#))
    }

    @Test func `knows what is unknown, which does not match`() throws {
        #expect(try !matches(#"$.a > 1"#, #"{"a":"2"}"#))
        #expect(try !matches(#"!($.a > 1)"#, #"{"a":"2"}"#))
        #expect(try matches(#"($.a > 1) is unknown"#, #"{"a":"2"}"#))
        #expect(try !matches(#"($.a > 1) is unknown"#, #"{"b":"2"}"#))
        #expect(try matches(#"!($.a > 1)"#, #"{"b":"2"}"#))
        #expect(try matches(#"$.a == 2"#, #"{"a":["x",2]}"#))
        #expect(try matches(#"($.a == 1) is unknown"#, #"{"a":{}}"#))
        #expect(try !matches(#"$.a > 1 && $.b == 1"#, #"{"a":"2","b":1}"#))
        #expect(try matches(#"$.a > 1 || $.b == 1"#, #"{"a":"2","b":1}"#))
        #expect(try matches(#"($.a > 1 && $.b == 1) is unknown"#, #"{"a":"2","b":1}"#))
        #expect(try matches(#"!($.a > 1 && $.b == 2)"#, #"{"a":"2","b":1}"#))
    }

    @Test func `compares null with everything, and only null equals it`() throws {
        #expect(try matches("$.a == null", #"{"a":null}"#))
        #expect(try matches("$.a <= null", #"{"a":null}"#))
        #expect(try matches("$.a != null", #"{"a":0}"#))
        #expect(try matches("$.a != null", #"{"a":{}}"#))
        #expect(try !matches("$.a < null", #"{"a":0}"#))
        #expect(try matches("!($.a < null)", #"{"a":0}"#))
        #expect(try !matches("$.a == null", "{}"))
    }

    @Test func `asks whether something exists`() throws {
        #expect(try matches("exists($.a)", #"{"a":null}"#))
        #expect(try !matches("exists($.a)", #"{"b":null}"#))
        #expect(try matches("exists($.a)", #"{"a":[]}"#))
        #expect(try !matches("exists($.a[*])", #"{"a":[]}"#))
        #expect(try matches("!exists($.a.b)", #"{"a":{}}"#))
        #expect(try matches("exists($)", "1"))
    }

    @Test func `compares strings as they are meant`() throws {
        #expect(try matches(#"$.a == "abc""#, #"{"a":"\u0061b\u0063"}"#))
        #expect(try matches(#"$.a == "🦉""#, #"{"a":"\ud83e\udd89"}"#))
        #expect(try matches(#"$.a == "\ud83e\udd89""#, #"{"a":"🦉"}"#))
        #expect(try matches(#"$.a == "\"\\/\n""#, #"{"a":"\"\\\/\n"}"#))
        #expect(try matches(#"$.\#u{e9} == "\u00e9""#, #"{"é":"é"}"#))
        #expect(try matches(#"$.a > "Z" && $.a < "b""#, #"{"a":"a"}"#))
        #expect(try matches(#"$.a > "\uffff""#, #"{"a":"\ud83e\udd89"}"#))
        #expect(try !matches(#"$.a == "\ufffd""#, #"{"a":"\ud83e"}"#))
        #expect(try matches(#"$.a != "\ufffd""#, #"{"a":"\ud83e"}"#))
        #expect(try matches(#"$.a < "a""#, #"{"a":"\u0000"}"#))
        #expect(try matches(#"$.a starts with "AC""#, #"{"a":"ACME"}"#))
        #expect(try matches(#"$.a starts with "AC""#, #"{"a":"\u0041CME"}"#))
        #expect(try matches(#"$.a starts with """#, #"{"a":""}"#))
        #expect(try !matches(#"$.a starts with "ACME""#, #"{"a":"ACM"}"#))
        #expect(try matches(#"($.a starts with "1") is unknown"#, #"{"a":1}"#))
    }

    @Test func `compares paths with one another`() throws {
        #expect(try matches("$.bid > $.ask", #"{"bid":2.50,"ask":2.5e-1}"#))
        #expect(try matches("$.a == $.b", #"{"a":[1,2],"b":[3,"\u0061",2.0]}"#))
        #expect(try !matches("$.a == $.b", #"{"a":[1,2],"b":[3,4]}"#))
        #expect(try matches(#"($.a == $.b) is unknown"#, #"{"a":[1,"2"],"b":[2]}"#))
        #expect(try matches("$.id == $key", #"{"id":"\u0034\u0032"}"#, key: "42"))
        let many = "[\(String(repeating: "0,", count: 300))1]"
        #expect(try matches("($.a == $.b) is unknown", #"{"a":\#(many),"b":2}"#))
    }

    @Test func `sees the event's key, topic and attributes`() throws {
        #expect(try matches(#"$key == "42""#, "1", key: "42"))
        #expect(try matches(#"$key starts with "a\"""#, "1", key: #"a"\n"#))
        #expect(try !matches(#"$key == "42""#, "1"))
        #expect(try !matches(#"exists($key)"#, "1"))
        #expect(try matches(#"$topic == "orders.eu""#, "1"))
        #expect(try matches(#"$topic[0] like_regex "^orders\\.""#, "1"))
        #expect(try matches(#"$attributes.kind == "é""#, "1", attributes: #"{"kind":"\u00e9"}"#))
        #expect(try !matches(#"exists($attributes)"#, "1"))
    }

    @Test func `takes the last value of a name that is there twice`() throws {
        #expect(try matches("$.a == 2", #"{"a":1,"a":2}"#))
        #expect(try !matches("$.a == 1", #"{"a":1,"b":0,"\u0061":2}"#))
        #expect(try !matches("exists($.a.b)", #"{"a":{"b":1},"a":1}"#))
        #expect(try matches("$[*].a == 1", #"[{"a":2,"a":1},{"a":3,"a":4}]"#))
        #expect(try !matches("$.a == $.b", #"{"a":1,"b":1,"a":2}"#))
        #expect(try matches("$.* == 1", #"{"a":1,"a":2}"#))
    }

    @Test func `reads data however it is laid out`() throws {
        let data =
            "{ \"x\" : [ { } , [ ] , \"]}\\\"\" , -1e5 ] ,\n\t\"a\"\r: [ 1 , { \"b\" : true } ] }"
        #expect(try matches("$.a.b == true && $.a[0] == 1 && exists($.x[3])", data))
        #expect(try !matches("exists($.x[4])", data))
        let deep = String(repeating: "[", count: 512) + String(repeating: "]", count: 512)
        #expect(try matches("$.b == 1", #"{"a":\#(deep),"b":1}"#))
    }

    @Test func `ends on data that is no JSON`() throws {
        let filter = #"$.a[last].b == 1 || $[*].* starts with "x" || $.c like_regex "a+""#
        for data in [
            "", "{", "[", "{\"", "{\"a", "{\"a\"", "{\"a\":", "[1", "[[", "\"", "\\", "{{{{",
        ] {
            #expect(try !matches(filter, data))
        }
    }
}
