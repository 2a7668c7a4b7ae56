import EventModel
import RepeatableChance
import SessionProtocol
import Testing

private let mark = "mark:latest.aaaaaaaaaa.abc"

private func position(_ start: String = mark, _ cursors: [String: String] = [:]) throws
    -> StreamPosition
{
    var known: [TopicName: Cursor] = [:]
    for (name, text) in cursors { known[try topic(name)] = try cursor(text) }
    return StreamPosition(start: try StartPosition(start), cursors: known)
}

private func read(_ text: String) throws -> StreamPosition {
    try StreamPosition(text, field: "from")
}

@Suite("A position in all topics of a stream") struct StreamPositionTests {
    @Test func `says what is new of each place beside the one before, the newest first`() throws {
        var position = try position()
        #expect(position.text == "at:1~\(mark)")
        position.move(try topic("orders.eu"), to: try cursor("aaaaaaaaaa1-42"))
        position.move(try topic("orders.us"), to: try cursor("aaaaaaaaaa2z-7"))
        position.move(try topic("a"), to: try cursor("bbbbbbbbbb3-0"))
        #expect(
            position.text
                == "at:1~\(mark)~0a~bbbbbbbbbb.3.0~0orders.us~aaaaaaaaaa.2z.7~7eu~1.16")
        #expect(try read(position.text) == position)
    }

    @Test func `follows a topic that moves, and forgets one that is gone`() throws {
        var position = try position(mark, ["b": "aaaaaaaaaa2-1", "a": "aaaaaaaaaa1-1"])
        #expect(position.text == "at:1~\(mark)~0a~1.1~0b~2.1")
        position.move(try topic("b"), to: try cursor("aaaaaaaaaa2-2"))
        position.move(try topic("b"), to: try cursor("aaaaaaaaaa2-3"))
        #expect(position.text == "at:1~\(mark)~0b~2.3~0a~1.1")
        position.move(try topic("a"), to: nil)
        position.move(try topic("c"), to: nil)
        #expect(position.text == "at:1~\(mark)~0b~2.3")
        #expect(position.cursors == [try topic("b"): try cursor("aaaaaaaaaa2-3")])
    }

    @Test func `takes cursors of other brokers, and the largest of ours`() throws {
        let position = try position(
            "earliest", ["a": "k3f9-42", "b": "zzzzzzzzzzzzzzzz-9007199254740991"])
        #expect(try read(position.text) == position)
        #expect(position.text == "at:1~earliest~0a~k3f9..16~0b~zzzzzzzzzz.zzzzzz.2gosa7pa2gv")
    }

    @Test(arguments: [
        "earliest", "time:2026-01-01T00:00:00.000000Z", "offset:17", "after:k3f9-1",
        "mark:last-3.bbbbbbbbbb.zz",
    ]) func `begins where a start says that means the same tomorrow`(start: String) throws {
        let position = try position(start, ["a": "bbbbbbbbbb1-1"])
        #expect(try read(position.text) == position)
        #expect(position.start.text == start)
    }

    @Test func `says the same when it is read again, whatever happened`() throws {
        var random = SeededGenerator()
        print("seed \(random.seed)")
        for _ in 0..<200 {
            var position = try position()
            var known: [TopicName: Cursor] = [:]
            for _ in 0..<random.pick(0...60) {
                let name = try topic(Self.name(&random))
                let incarnation = random.chance(90) ? "aaaaaaaaaa" : "bbbbbbbbbb"
                let cursor =
                    random.chance(95)
                    ? Cursor(
                        epoch: Epoch(
                            incarnation: incarnation, topicID: Int32(random.pick(1...99_999))),
                        offset: Offset(random.pick(0...1_000_000))) : nil
                position.move(name, to: cursor)
                known[name] = cursor
            }
            let text = position.text
            #expect(text.utf8.count <= StreamPosition.bytesMax, "seed \(random.seed)")
            #expect(try read(text) == position, "seed \(random.seed)")
            #expect(try read(text).cursors == known, "seed \(random.seed)")
        }
    }

    private static func name(_ random: inout SeededGenerator) -> String {
        (0..<random.pick(1...3)).map { _ in random.pick(["a", "orders", "eu-1", "b_2", "x"]) }
            .joined(separator: ".") + "\(random.pick(0...20))"
    }

    @Test func `holds the newest topics that fit, of any number`() throws {
        var position = try position()
        let long = String(repeating: "x", count: 190)
        var text = ""
        for number in 0..<5000 {
            let name = number.isMultiple(of: 7) ? "\(long).\(number)" : "t\(number)"
            position.move(
                try topic(name),
                to: Cursor(epoch: Epoch(incarnation: "aaaaaaaaaa", topicID: 1), offset: 9))
            guard number < 100 || number.isMultiple(of: 97) else { continue }
            text = position.text
            #expect(text.utf8.count <= StreamPosition.bytesMax)
            let cursors = try read(text).cursors
            #expect(cursors[try topic(name)]?.offset == 9)
            // Nothing is left out between two that are there.
            let isThere = try (0...number).map { number in
                let name = number.isMultiple(of: 7) ? "\(long).\(number)" : "t\(number)"
                return cursors[try topic(name)] != nil
            }
            #expect(isThere == isThere.sorted { !$0 && $1 })
        }
        #expect(text.utf8.count > StreamPosition.bytesMax - 210)
        #expect(try read(text).cursors.count > 50)
    }

    @Test func `of 10,000 topics that are named holds some`() throws {
        var cursors: [String: String] = [:]
        for number in 0..<10_000 { cursors["topic-\(number)"] = "aaaaaaaaaa1-\(number)" }
        let text = try position(mark, cursors).text
        #expect(text.utf8.count <= StreamPosition.bytesMax)
        for (name, cursor) in try read(text).cursors { #expect(cursors[name.text] == "\(cursor)") }
    }

    @Test(arguments: [
        "", "at:", "at:1", "at:1~", "at:2~\(mark)", "at:1~latest", "at:1~last:3", "at:1~ago:5m",
        "at:1~mark:x", "at:1~\(mark)~", "at:1~\(mark)~0a", "at:1~\(mark)~0a~", "at:1~\(mark)~0a~1",
        "at:1~\(mark)~0a~1.1~", "at:1~\(mark)~0a~1.1~0a~1.2", "at:1~\(mark)~1a~1.1",
        "at:1~\(mark)~a~1.1", "at:1~\(mark)~0~1.1", "at:1~\(mark)~0a b~1.1",
        "at:1~\(mark)~0a~1.+1", "at:1~\(mark)~0a~1.01", "at:1~\(mark)~0a~1.-1",
        "at:1~\(mark)~0a~1.2gosa7pa2gw", "at:1~\(mark)~0a~1.zzzzzzzzzzzzzzzz",
        "at:1~\(mark)~0a~aaaaaaaaaa.1.1", "at:1~\(mark)~0a~A.1", "at:1~\(mark)~0a~1.1.1.1",
        "at:1~\(mark)~0a~k3f9.1.1", "at:1~\(mark)~0ab~1.1~0ac~1.1",
        "at:1~\(mark)~0ab~1.1~9c~1.1", "at:1~\(mark)~0ab~1.1~1b~1.1", "at:1~\(mark)~0a~1.1\u{e9}",
        "at:1~earliest~0a~aaaaaaaaaa.1.1~0b~aaaaaaaaaa.1.1", "k3f9-42", "offset:1", mark,
    ]) func `is refused where no broker wrote it so`(text: String) throws {
        let error = #expect(throws: BrokerError.self) { try read(text) }
        #expect(error?.code == .invalidStart)
        #expect(error?.at?.field == "from")
    }

    @Test func `is refused if it is too long, and never does harm`() throws {
        var random = SeededGenerator()
        print("seed \(random.seed)")
        var long = "at:1~\(mark)"
        while long.utf8.count <= StreamPosition.bytesMax { long += "~0t\(long.utf8.count)~1.1" }
        #expect(throws: BrokerError.self) { try read(long) }
        let good = try position(mark, ["orders.eu": "aaaaaaaaaa1-42", "a": "bbbbbbbbbb1-1"]).text
        for _ in 0..<20_000 {
            var bytes = Array(good.utf8)
            for _ in 0..<random.pick(1...3) {
                let place = random.pick(0...bytes.count - 1)
                switch random.pick(0...2) {
                case 0: bytes[place] = UInt8(random.pick(0x20...0x7e))
                case 1: bytes.remove(at: place)
                default: bytes.insert(random.pick(Array("~.:0az".utf8)), at: place)
                }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            // What is taken is what a broker would write.
            if let read = try? read(text) { #expect(read.text == text, "seed \(random.seed)") }
        }
    }
}
