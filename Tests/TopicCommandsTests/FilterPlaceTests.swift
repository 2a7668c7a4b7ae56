import SluiceClient
import Testing

@testable import TopicCommands

@Suite("A filter that is refused") struct FilterPlaceTests {
    @Test func `is shown with a mark where it goes wrong`() {
        let error = SluiceError(.invalid, code: "invalid_filter", "No.", remedy: "r", byte: 4)
        let failure = showing(error, in: "$.a = 1") as? CommandFailure
        #expect(failure == CommandFailure(.usage, "No.\n  $.a = 1\n      ^", remedy: "r"))
    }

    @Test func `is no other error`() {
        let other = SluiceError(.invalid, code: "invalid_start", "No.", remedy: "r", byte: 4)
        #expect(showing(other, in: "$.a = 1") as? SluiceError == other)
        let placeless = SluiceError(.invalid, code: "invalid_filter", "No.", remedy: "r")
        #expect(showing(placeless, in: "$.a = 1") as? SluiceError == placeless)
        #expect(showing(placeless, in: nil) as? SluiceError == placeless)
    }

    @Test(arguments: [
        ("$.ä ? 1", 5, "  $.ä ? 1\n      ^"), ("$.a", 3, "  $.a\n     ^"),
        ("$.a", 99, "  $.a\n     ^"), ("$.a\n= 1", 4, "  $.a = 1\n      ^"), ("", 0, "  \n  ^"),
    ])
    func `is marked by characters, on one line`(text: String, byte: Int, lines: String) {
        #expect(markedText(text, byte: byte) == lines)
    }

    @Test func `is cut around the mark when it is long`() {
        let text = String(repeating: "a", count: 60) + "?" + String(repeating: "b", count: 60)
        let left = "…" + String(repeating: "a", count: 47)
        let right = "?" + String(repeating: "b", count: 22) + "…"
        let mark = String(repeating: " ", count: 48) + "^"
        #expect(markedText(text, byte: 60) == "  \(left)\(right)\n  \(mark)")
    }
}
