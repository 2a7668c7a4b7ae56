import EventModel
import Testing

@Suite("An event's fields") struct EventValidationTests {
    @Test func `key and id have 1 to 500 bytes without NUL`() {
        for good in ["a", String(repeating: "ä", count: 250)] {
            #expect(throws: Never.self) { try EventValidation.checkKey(good) }
            #expect(throws: Never.self) { try EventValidation.checkEventID(good) }
        }
        for bad in ["", String(repeating: "x", count: 501), "a\u{0}b"] {
            let key = #expect(throws: BrokerError.self) { try EventValidation.checkKey(bad) }
            #expect(key?.at?.field == "key")
            let id = #expect(throws: BrokerError.self) { try EventValidation.checkEventID(bad) }
            #expect(id?.at?.field == "event_id")
        }
    }

    @Test func `attributes are up to 16 texts`() {
        func object(_ count: Int) -> [UInt8] {
            utf8("{" + (0..<count).map { #""a\#($0)":"x""# }.joined(separator: ",") + "}")
        }
        #expect(throws: Never.self) { try EventValidation.attributes(object(0), limits: Limits()) }
        #expect(throws: Never.self) { try EventValidation.attributes(object(16), limits: Limits()) }
        #expect(throws: BrokerError.self) {
            try EventValidation.attributes(object(17), limits: Limits())
        }
    }

    @Test(arguments: [
        "[]", "null", #"{"a":1}"#, #"{"a":null}"#, #"{"a":"x","a":"y"}"#,
        #"{"a":"x","\u0061":"y"}"#,
        #"{"a":"\u0000"}"#, #"{"\ud800":"x"}"#, #"{"a":"x"} "#, "", #"{"a":{}}"#,
        #"{"a":"\#(String(repeating: "x", count: 1024))"}"#,
    ])
    func `attributes of another form are refused`(json: String) {
        #expect(throws: BrokerError.self) {
            try EventValidation.attributes(utf8(json), limits: Limits())
        }
    }
}

private func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }
