import Testing

@testable import TopicCommands

@Suite("A table") struct TableTests {
    private var table: Table {
        var table = Table([("TOPIC", .left), ("EVENTS", .right), ("DESCRIPTION", .left)])
        table.add(["orders.eu", "7", "Orders of Europe"])
        table.add(["a", "12345678", ""])
        return table
    }

    @Test func `has columns as wide as their widest cell, numbers at the right`() {
        #expect(
            table.lines(width: nil) == [
                "TOPIC        EVENTS  DESCRIPTION", "orders.eu         7  Orders of Europe",
                "a          12345678",
            ])
    }

    @Test func `is cut to the terminal's width`() {
        #expect(
            table.lines(width: 24) == [
                "TOPIC        EVENTS  DE…", "orders.eu         7  Or…", "a          12345678",
            ])
    }

    @Test func `does not let texts of others move the cursor`() {
        var table = Table([("A", .left)])
        table.add(["x\u{1b}[2Jy\nz"])
        #expect(table.lines(width: nil)[1] == "x [2Jy z")
    }

    @Test(arguments: [
        (Int64(0), "0 B"), (999, "999 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"),
        (204_800, "200 KiB"), (5_368_709_120, "5.0 GiB"),
    ]) func `shows sizes in short`(bytes: Int64, text: String) {
        #expect(roundedSize(bytes) == text)
    }
}
