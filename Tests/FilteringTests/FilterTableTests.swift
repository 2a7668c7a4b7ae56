import EventModel
import Filtering
import Testing

@Suite("The filters that somebody uses") struct FilterTableTests {
    private let table = FilterTable()

    private func filter(_ text: String) throws -> EventFilter {
        try table.filter(text, bytesMax: 4096)
    }

    @Test func `are one object if they mean the same`() throws {
        let first = try filter("$.price > 100 && $.symbol == \"ACME\"")
        for text in [
            first.text, "$.price > 100 && $.symbol == \"ACME\"",
            "($.price>100)  &&  \"ACME\" == $.symbol",
        ] {
            #expect(try filter(text) === first)
        }
        let other = try filter("$.price > 101")
        #expect(other !== first && table.count == 2)
    }

    @Test func `are forgotten when nobody uses them`() throws {
        let kept = try filter("$.a == 0")
        for number in 1...1000 { _ = try filter("$.a == \(number)") }
        #expect(table.count < 130)
        #expect(try filter("$.a == 0") === kept)
    }

    @Test func `are refused like any other, also one that is in use and too long now`() throws {
        let kept = try filter("$.a == 0")
        let long = #expect(throws: BrokerError.self) { try table.filter(kept.text, bytesMax: 3) }
        #expect(long?.code == .invalidFilter && long?.at == InputPlace(byte: 3, field: "filter"))
        #expect(throws: BrokerError.self) { try filter("$.a") }
        #expect(table.count == 1)
    }
}
