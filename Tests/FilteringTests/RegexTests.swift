import EventModel
import Testing

@Suite("A pattern of a filter") struct RegexTests {
    private func fits(_ pattern: String, _ text: String, flags: String = "") throws -> Bool {
        let flag = flags.isEmpty ? "" : " flag \"\(flags)\""
        let quoted = pattern.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
        return try matches("$ like_regex \"\(quoted)\"\(flag)", "\"\(text)\"")
    }

    @Test(arguments: [
        ("b", "abc", "xyz"), ("^ab", "abc", "cab"), ("bc$", "abc", "bca"), ("^$", "", "a"),
        ("^a.c$", "aäc", "ac"), ("^a*$", "aaa", "ab"), ("^a+$", "a", ""), ("^a?b$", "ab", "aab"),
        ("^a{2}$", "aa", "aaa"), ("^a{2,}$", "aaaa", "a"), ("^a{1,2}$", "aa", "aaa"),
        ("^(ab|cd)+$", "abcd", "abc"), ("^(?:a|)b$", "b", "c"), ("[a-c]", "xxb", "xyz"),
        ("[^a-c]", "abcd", "abc"), ("^[]a]$", "]", "b"), ("^[a-]$", "-", "b"), ("^[^]]$", "a", "]"),
        (#"^\d\w\s$"#, "1_ ", "1_a"), (#"^[\d\s]$"#, " ", "a"), (#"^\D$"#, "a", "1"),
        (#"a\.b"#, "a.b", "aXb"), (#"^[\]x]$"#, "]", "y"), ("^ä[à-é]$", "äç", "äz"),
        ("🦉+", "x🦉", "x"),
        ("^a+?b$", "aab", "ab b"), ("a}]", "a}]", "a"), (#"\t\n"#, #"\t\n"#, " "), ("", "", ""),
        ("^(a|b)*a(a|b){2}$", "bbabb", "bbbb"),
    ])
    func `fits somewhere in a string`(pattern: String, fitting: String, other: String) throws {
        #expect(try fits(pattern, fitting))
        if pattern != "" { #expect(try !fits(pattern, other)) }
    }

    @Test func `reads escapes of the data`() throws {
        #expect(try fits("^aé🦉$", #"\u0061\u00e9\ud83e\udd89"#))
        #expect(try fits("^.$", #"\ud83e"#))
        #expect(try !fits("🦉", #"\ud83e"#))
    }

    @Test func `takes flags`() throws {
        #expect(try fits("^aCé[x-z]$", "AcéY", flags: "i"))
        #expect(try !fits("é", "É", flags: "i"))
        #expect(try !fits("a.b", #"a\nb"#))
        #expect(try fits("a.b", #"a\nb"#, flags: "s"))
        #expect(try !fits("a[^x]b", #"a\nb"#))
        #expect(try fits("a[^x]b", #"a\nb"#, flags: "s"))
        #expect(try fits(#"a\Wb"#, #"a\nb"#))
        #expect(try !fits("^b$", #"a\nb\nc"#))
        #expect(try fits("^b$", #"a\nb\nc"#, flags: "m"))
        #expect(try fits("^$", #"a\n\nc"#, flags: "m"))
        #expect(try fits("a.(b", "xA.(B", flags: "qi"))
        #expect(try !fits("a.b", "axb", flags: "q"))
    }

    @Test(arguments: [
        ("(", 0), (")", 0), ("a)", 1), ("[a", 0), ("*a", 0), ("a**", 2), ("a{2", 1), ("a{,2}", 1),
        ("a{3,2}", 1), ("a{256}", 1), ("{", 0), ("^*", 0), ("(?=a)", 0), ("(?i)a", 0), ("[z-a]", 1),
        ("[[:alpha:]]", 1), ("[a-c-e]", 4), ("a|*", 2),
    ])
    func `is refused at the byte where it goes wrong`(pattern: String, place: Int) {
        let error = refusal("$ like_regex \"\(pattern)\"")
        #expect(error?.code == .invalidFilter)
        #expect(error?.at?.byte == 14 + place)
    }

    @Test(arguments: [#"\\1"#, #"\\b"#, #"\\y"#, #"[\\D]"#, #"a\\"#])
    func `has no escapes of other engines`(pattern: String) {
        #expect(refusal("$ like_regex \"\(pattern)\"")?.code == .invalidFilter)
    }

    @Test(arguments: [
        "(a|b)*a(a|b){20}", "((a{255}){255}){255}", "((((){255}){255}){255}){255}",
        "a.{0,200}b.{0,200}c",
    ])
    func `is refused when its automaton would be too large`(pattern: String) {
        let error = refusal("$ like_regex \"\(pattern)\"")
        #expect(error?.message.contains("too many states") == true)
        #expect(error?.at?.byte == 14)
    }

    @Test func `may list as many words as a filter holds`() throws {
        let words = (0..<500).map { "W\($0 * 7919 % 9973)" }.joined(separator: "|")
        #expect(try fits("^(\(words))$", "W7919"))
        #expect(try !fits("^(\(words))$", "W79190"))
    }
}
