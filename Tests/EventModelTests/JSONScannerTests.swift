import RepeatableChance
import EventModel
import Testing

@Suite("A JSON text") struct JSONScannerTests {
    @Test(arguments: [
        "null", "true", "false", "0", "-0", "1.5e-7", "1E+400", "123456789012345678901234567890",
        #""""#, #""\ud800""#, #""\u0000""#, #""ä€𝄞""#, "[]", "{}", #"{"a":1,"a":2}"#,
        "[1,[2,{\"b\":[]}]]", #""\"\\\/\b\f\n\r\t\u00e4""#, "\"\u{7f}\"",
    ])
    func `of the grammar is accepted`(text: String) throws {
        var scanner = JSONScanner(Array(" \t\r\n\(text)\n ".utf8))
        let range = try scanner.wholeText()
        #expect(String(decoding: scanner.bytes[range], as: UTF8.self) == text)
    }

    @Test(arguments: [
        ("", 0), ("   ", 3), ("nul", 3), ("nulL", 3), ("01", 1), ("-", 1), ("+1", 0), ("1.", 2),
        (".5", 0), ("1e", 2), ("0x1", 1), ("[1,]", 3), ("[1 2]", 3), ("[", 1), ("]", 0),
        ("{a:1}", 1),
        (#"{"a"}"#, 4), (#"{"a":}"#, 5), (#"{"a":1,}"#, 7), (#""abc"#, 4), (#""\x""#, 2),
        (#""\u12g4""#, 5), ("\"a\u{1}\"", 2), ("1 2", 2), ("\u{feff}1", 0), ("NaN", 0), ("'a'", 0),
        ("\"a\tb\"", 2), ("[1]]", 3), ("tru\u{0}", 3),
    ])
    func `of another grammar is refused at its first wrong byte`(text: String, byte: Int) {
        var scanner = JSONScanner(Array(text.utf8))
        let error = #expect(throws: BrokerError.self) { try scanner.wholeText() }
        #expect(error?.code == .invalidJSON)
        #expect(error?.at == InputPlace(byte: byte))
    }

    @Test(
        arguments: [
            [0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22],
            [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], [0x22, 0xE2, 0x82, 0x22], [0x22, 0x80, 0x22],
            [0x22, 0xF0, 0x9D, 0x84], [0x22, 0xC3], [0x22, 0xF8, 0x88, 0x80, 0x80, 0x80, 0x22],
        ] as [[UInt8]])
    func `that is not UTF-8 is refused as that`(bytes: [UInt8]) {
        var scanner = JSONScanner(bytes)
        let error = #expect(throws: BrokerError.self) { try scanner.wholeText() }
        #expect(error?.code == .invalidUTF8)
        #expect(error?.at == InputPlace(byte: 1))
    }

    @Test func `may be 512 levels deep and not deeper`() {
        func nested(_ depth: Int, _ open: String, _ close: String) -> [UInt8] {
            Array(
                (String(repeating: open, count: depth) + "1"
                    + String(repeating: close, count: depth)).utf8)
        }
        for (open, close) in [("[", "]"), (#"{"a":"#, "}")] {
            var fits = JSONScanner(nested(512, open, close))
            #expect(throws: Never.self) { try fits.wholeText() }
            var tooDeep = JSONScanner(nested(513, open, close))
            #expect(throws: BrokerError.self) { try tooDeep.wholeText() }
        }
        var wide = JSONScanner(Array(("[" + String(repeating: "[],", count: 2000) + "[]]").utf8))
        #expect(throws: Never.self) { try wide.wholeText() }
    }

    @Test func `can be a part of a larger input`() throws {
        let bytes = Array(#"xx {"a":1} "}"#.utf8)
        var scanner = JSONScanner(bytes, in: 2..<11)
        #expect(try scanner.wholeText() == 3..<10)
        var cut = JSONScanner(bytes, in: 2..<9)
        let error = #expect(throws: BrokerError.self) { try cut.wholeText() }
        #expect(error?.at == InputPlace(byte: 9))
    }

    @Test func `gives an object's members as ranges`() throws {
        let bytes = Array(#"{ "a" : [1, 2] ,"b\u0063":{"d":{}}}"#.utf8)
        var scanner = JSONScanner(bytes)
        var members: [String] = []
        try scanner.object { (scanner, key) throws(BrokerError) in
            let value = try scanner.value()
            members.append(String(decoding: bytes[key], as: UTF8.self))
            members.append(String(decoding: bytes[value], as: UTF8.self))
        }
        #expect(members == [#""a""#, "[1, 2]", #""b\u0063""#, #"{"d":{}}"#])
    }

    @Test func `never crashes the scanner, however it is mutated`() {
        var generator = SeededGenerator()
        let text = Array(#"{"a":[1,-2.5e3,"ä\u00e4\ud834\udd1e",true,null],"b":{"c":{}}}"#.utf8)
        for _ in 0..<2000 {
            var bytes = text
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                bytes[Int.random(in: bytes.indices, using: &generator)] =
                    UInt8.random(in: 0...255, using: &generator)
            }
            bytes.removeLast(Int.random(in: 0..<bytes.count, using: &generator))
            var scanner = JSONScanner(bytes)
            guard let range = try? scanner.wholeText() else { continue }
            #expect(
                String(validating: bytes[range], as: UTF8.self) != nil, "seed \(generator.seed)")
        }
    }
}

@Suite("A JSON string") struct JSONStringTests {
    private func text(_ json: String) throws -> String {
        var scanner = JSONScanner(Array(json.utf8))
        return try scanner.text(of: scanner.string(), field: "key")
    }

    @Test(arguments: [
        (#""""#, ""), (#""abc""#, "abc"), (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        (#""\u00e4\u20AC""#, "ä€"), (#""\ud834\udd1e!""#, "𝄞!"), (#""ä\n""#, "ä\n"),
    ])
    func `has its escapes resolved`(json: String, expected: String) throws {
        #expect(try text(json) == expected)
    }

    @Test(arguments: [
        #""a\u0000""#, #""\ud800""#, #""\udc00""#, #""\ud800\ud800""#, #""\ud800x""#,
        #""\ud800\n""#,
    ])
    func `that must be text holds no NUL and no lone surrogate`(json: String) {
        let error = #expect(throws: BrokerError.self) { try text(json) }
        #expect(error?.code == .invalidJSON)
        #expect(error?.at?.field == "key")
    }

    @Test func `is written with no more escapes than it needs`() throws {
        var json = JSONWriter()
        json.string("a\"\\/\n\r\t\u{0}\u{1f}\u{7f}ä𝄞")
        #expect(
            String(decoding: json.bytes, as: UTF8.self)
                == "\"a\\\"\\\\/\\n\\r\\t\\u0000\\u001f\u{7f}ä𝄞\"")
    }

    @Test func `is read as it was written, at random`() throws {
        var generator = SeededGenerator()
        for _ in 0..<300 {
            var scalars = String.UnicodeScalarView()
            for _ in 0..<Int.random(in: 0...20, using: &generator) {
                let value = UInt32.random(
                    in: 1...(Bool.random(using: &generator) ? 0x7F : 0x10FFFF), using: &generator)
                if let scalar = Unicode.Scalar(value) { scalars.append(scalar) }
            }
            var json = JSONWriter()
            json.string(String(scalars))
            let read = try text(String(decoding: json.bytes, as: UTF8.self))
            #expect(Array(read.utf8) == Array(String(scalars).utf8), "seed \(generator.seed)")
        }
    }
}
