import EventModel
import Testing

@Suite("A cursor") struct CursorTests {
    @Test(arguments: ["k3f9-17", "a-0", "0123456789abcdef-9007199254740991"])
    func `is written as it was read`(text: String) {
        #expect(Cursor(text)?.description == text)
    }

    @Test(arguments: [
        "", "-", "k3f9", "k3f9-", "-1", "K3-1", "a_b-1", "0123456789abcdefg-1", "a--1", "a-+1",
        "a-1 ",
        "a-1.0", "a-9007199254740992", "a-99999999999999999999", "ä-1", "a-١",
    ])
    func `of another form is refused`(text: String) {
        #expect(Cursor(text) == nil)
    }

    @Test func `names the incarnation and the topic's id`() throws {
        let epoch = Epoch(incarnation: "0123456789", topicID: 71)
        #expect(epoch.text == "01234567891z")
        #expect(epoch.incarnation == "0123456789")
        #expect(epoch.topicID == 71)
        #expect(Epoch("01234567891z") == epoch)
        #expect(Epoch(incarnation: "0123456789", topicID: .max).text.utf8.count == 16)
        #expect(Epoch("k3f9")?.topicID == nil)
    }
}
