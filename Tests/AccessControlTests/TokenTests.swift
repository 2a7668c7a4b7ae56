import RepeatableChance
import AccessControl
import Testing

@Suite("A token") struct TokenTests {
    @Test func `is parsed as it was made`() throws {
        var random = SeededGenerator(seed: 7)
        let token = Token(using: &random)
        #expect(token.text.utf8.count == 4 + 10 + 1 + 40)
        #expect(Token(token.text) == token)
        #expect(Token(using: &random) != token)
    }

    @Test(arguments: [
        "", "slc_", "slc_abc_def", "Bearer slc_0123456789_x",
        "slc_0123456789_" + String(repeating: "a", count: 39),
        "slc_0123456789_" + String(repeating: "a", count: 41),
        "slc_012345678-_" + String(repeating: "a", count: 40),
        "slc_0123456789_" + String(repeating: "a", count: 39) + "é",
        "slc_0123456789_" + String(repeating: "a", count: 40) + "_",
        "SLC_0123456789_" + String(repeating: "a", count: 40),
    ])
    func `of another form is refused`(_ text: String) {
        #expect(Token(text) == nil)
    }

    @Test func `does not show its secret`() {
        var random = SeededGenerator(seed: 7)
        let token = Token(using: &random)
        #expect(!"\(token) \(String(reflecting: token))".contains(token.secret))
    }

    @Test func `is compared whole`() {
        func isEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
            isEqualInConstantTime(left.span, right.span)
        }
        #expect(isEqual([1, 2, 3], [1, 2, 3]))
        #expect(!isEqual([1, 2, 3], [1, 2, 4]))
        #expect(!isEqual([1, 2, 3], [1, 2]))
    }
}
