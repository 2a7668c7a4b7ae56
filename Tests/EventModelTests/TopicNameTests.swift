import EventModel
import Testing

@Suite("A topic name") struct TopicNameTests {
    @Test(arguments: [
        "a", "orders", "orders.eu.created", "A-Z_0.9", "a.b.c.d",
        String(repeating: "x", count: 200),
    ])
    func `of segments joined by dots is accepted`(text: String) throws {
        #expect(try TopicName(text).text == text)
    }

    @Test(arguments: [
        "", ".", "a.", ".a", "a..b", "a b", "ä", "a/b", "a.*", ">", "a\u{0}", "a\n",
        String(repeating: "x", count: 201),
    ])
    func `of another form is refused`(text: String) {
        let error = #expect(throws: BrokerError.self) { try TopicName(text) }
        #expect(error?.code == .invalidTopic)
    }

    @Test func `with a dot at its end is answered with the quoted pattern`() {
        let error = #expect(throws: BrokerError.self) { try TopicName("demo.") }
        #expect(error?.remedy.contains("'demo.>'") == true)
    }

    @Test func `below sluice is reserved, the word alone is not`() throws {
        #expect(try TopicName("sluice.node").isReserved)
        #expect(try !TopicName("sluice").isReserved)
        #expect(try !TopicName("sluices.a").isReserved)
    }

    @Test func `is shown to users without control characters and shortened`() {
        #expect(quoted("a\u{1b}[0m") == "'a\u{fffd}[0m'")
        #expect(quoted(String(repeating: "x", count: 81)).hasSuffix("x…'"))
    }
}
