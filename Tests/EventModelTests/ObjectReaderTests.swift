import Testing

@testable import EventModel

@Suite("An object of JSON") struct ObjectReaderTests {
    private func read(_ text: String, isStrict: Bool = true) throws -> ObjectReader {
        var reader = ObjectReader(Array(text.utf8))
        try reader.read(membersMax: 4, isStrict: isStrict)
        return reader
    }

    private func error(_ body: () throws -> Void) throws -> BrokerError {
        try #require(#expect(throws: BrokerError.self, performing: body))
    }

    @Test func `gives its members by name and form, and their exact texts`() throws {
        let fields = try read(#" {"a":"x\u00e9","n":-5, "l":[1 , {"b":2}],"o":{"t":true}} "#)
        #expect(try fields.string("a") == "xé")
        #expect(try fields.integer("n", in: -5...5) == -5)
        #expect(try fields.elements("l")?.map { Array(fields.bytes[$0]) }.count == 2)
        #expect(try fields.object("o")?.boolean("t") == true)
        #expect(fields.text("o") == Array(#"{"t":true}"#.utf8))
        #expect(try fields.string("missing") == nil)
    }

    private static let wrongMembers: [(String, ErrorCode, String, Int?)] = [
        (#"{"o":{"a":1,"a":2}}"#, .unknownField, "o.a", 12),
        (#"{"o":{"b":1}}"#, .unknownField, "o.b", 6),
        (#"{"o":{"a":"1"}}"#, .invalidRequest, "o.a", 10),
        (#"{"o":{"a":9}}"#, .invalidRequest, "o.a", 10),
        (#"{"o":{}}"#, .invalidRequest, "o.a", nil),
        (#"{"o":[]}"#, .invalidRequest, "o", 5),
    ]

    @Test(arguments: wrongMembers)
    func `within an object is named by both names, with its place`(
        text: String, code: ErrorCode, field: String, byte: Int?
    ) throws {
        let error = try error {
            let inner = try #require(try read(text).object("o"))
            try inner.refuseFields(except: ["a"])
            _ = try inner.required(try inner.integer("a", in: 0...5), "a")
        }
        #expect(error.code == code)
        #expect(error.at == InputPlace(byte: byte, field: field))
        #expect(error.message.contains("'\(field)'"), "\(error.message)")
    }

    @Test func `read leniently takes the last of two members of a name, within it too`() throws {
        let fields = try read(#"{"a":1,"a":2,"o":{"b":3,"b":4}}"#, isStrict: false)
        #expect(try fields.integer("a", in: 0...9) == 2)
        #expect(try fields.object("o")?.integer("b", in: 0...9) == 4)
    }

    @Test func `has at most as many members as it may`() throws {
        let error = try error { _ = try read(#"{"a":1,"b":1,"c":1,"d":1,"e":1}"#) }
        #expect(error.code == .unknownField)
        #expect(error.at?.field == "e")
    }
}
