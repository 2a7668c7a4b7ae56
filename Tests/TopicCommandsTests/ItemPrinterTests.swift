import SluiceClient
import Testing

@testable import TopicCommands

@Suite("What 'subscribe' prints") struct ItemPrinterTests {
    private func event(_ offset: Int64, data: String = "{}") -> SubscriptionItem {
        .event(
            ReceivedEvent(
                topic: "a.b", offset: offset, cursor: "k-\(offset)", time: "t",
                data: Array(data.utf8),
                message: Array(#"{"type":"event","data":\#(data)}"#.utf8)))
    }

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test func `is topic, offset and data, and notices beside it`() {
        var printer = ItemPrinter(isJSON: false, remaining: nil)
        printer.print([
            event(1, data: "[1,\n2]"),
            .notice(
                .gap(topic: "a.b", from: 2, to: 4, reason: "retention"), message: [0x7B, 0x7D]),
        ])
        #expect(text(printer.takeOutput()) == "a.b  1  [1, 2]\n")
        #expect(text(printer.takeErrors()) == "gap: a.b 2 to 4 will not come (retention)\n")
        #expect(printer.takeOutput().isEmpty)
    }

    @Test func `is the broker's messages with --json, notices too`() {
        var printer = ItemPrinter(isJSON: true, remaining: nil)
        printer.print([
            event(1), .notice(.live, message: Array(#"{"type":"live","id":1}"#.utf8)),
            .notice(.disconnected(reason: "gone", retryIn: .milliseconds(500)), message: nil),
        ])
        #expect(
            text(printer.takeOutput())
                == "{\"type\":\"event\",\"data\":{}}\n{\"type\":\"live\",\"id\":1}\n")
        #expect(text(printer.takeErrors()) == "disconnected: gone; trying again in 0.5 s\n")
    }

    @Test func `has no words for progress, which --json shows`() {
        let told = #"{"type":"cursor","cursors":{"a.b":"k-9"}}"#
        let item = SubscriptionItem.notice(
            .progress(cursors: ["a.b": "k-9"]), message: Array(told.utf8))
        var printer = ItemPrinter(isJSON: true, remaining: nil)
        printer.print([item])
        #expect(text(printer.takeOutput()) == told + "\n")
        printer = ItemPrinter(isJSON: false, remaining: nil)
        printer.print([item])
        #expect(printer.takeOutput().isEmpty && printer.takeErrors().isEmpty)
    }

    @Test func `ends with the last event that was asked for`() {
        var printer = ItemPrinter(isJSON: false, remaining: 2)
        printer.print([event(1), event(2), event(3)])
        #expect(printer.isDone)
        #expect(text(printer.takeOutput()) == "a.b  1  {}\na.b  2  {}\n")
    }
}
