import SluiceClient
import Testing

@testable import TopicCommands

@Suite("A question before something is lost") struct LossQuestionTests {
    private func question(
        answer: String?, isGiven: Bool = false, isTerminal: Bool = true, told: Told = Told()
    ) -> LossQuestion {
        LossQuestion(
            isGiven: isGiven, isTerminal: isTerminal, tell: { told.lines.append($0) },
            ask: { text in
                told.lines.append(text)
                return answer
            })
    }

    private final class Told {
        var lines: [String] = []
    }

    @Test(arguments: ["y", "Y", "yes"]) func `is answered with yes`(answer: String) throws {
        let told = Told()
        try question(answer: answer, told: told)
            .require("delete", ["orders.eu: 1,204 events, 3.1 MiB"])
        #expect(told.lines == ["orders.eu: 1,204 events, 3.1 MiB", "delete? [y/N] "])
    }

    @Test(arguments: ["", "n", "yess", nil]) func `is answered with no by all else`(
        answer: String?
    ) {
        let failure = #expect(throws: CommandFailure.self) {
            try question(answer: answer).require("delete", ["a: 1 event, 1 B"])
        }
        #expect(failure?.status == .failed && failure?.message == "Nothing was changed.")
    }

    @Test func `is wrong usage where nobody can answer, and names what would be lost`() {
        let one = #expect(throws: CommandFailure.self) {
            try question(answer: "y", isTerminal: false)
                .require("delete", ["orders.eu: 1,204 events, 3.1 MiB"])
        }
        #expect(one?.status == .usage)
        #expect(one?.message == "This would delete orders.eu: 1,204 events, 3.1 MiB.")
        let told = Told()
        let several = #expect(throws: CommandFailure.self) {
            try question(answer: "y", isTerminal: false, told: told)
                .require("delete", ["a: 1 event, 1 B", "b: 2 events, 2 B"])
        }
        #expect(several?.message == "This would delete the 2 topics above.")
        #expect(told.lines == ["a: 1 event, 1 B", "b: 2 events, 2 B"])
    }

    @Test func `is not asked with --yes`() throws {
        let told = Told()
        try question(answer: nil, isGiven: true, isTerminal: false, told: told)
            .require("delete", ["a: 1 event, 1 B"])
        #expect(told.lines.isEmpty)
    }
}

@Suite("What a topic command shows") struct TopicManagementTests {
    private func topic(_ members: String = "") throws -> TopicInfo {
        try #require(
            TopicInfo(
                Array(
                    (#"{"topic":"orders.eu","earliest":3,"latest":1206,"bytes":3250000,"#
                        + #""description":"x","revision":1"# + members + "}").utf8)))
    }

    private let kept =
        #","retain":{"age":"30d","count":null,"bytes":1024},"effective":{"retain":{"age":"30d","#
        + #""count":"unlimited","bytes":1024},"event_bytes":1048576}"#

    @Test func `names events and their size`() throws {
        #expect(Holdings([try topic(), try topic()]).text == "2,408 events, 6.1 MiB")
        #expect(Holdings(events: 1, bytes: 1).text == "1 event, 1 B")
        #expect(
            [0, 999, 1000, 1_234_567, -12_345].map(grouped)
                == ["0", "999", "1,000", "1,234,567", "-12,345"])
    }

    @Test func `names the part that a purge takes`() throws {
        let topic = try topic()
        #expect(
            TopicPurgeCommand.loss(of: topic, before: 100)
                == "orders.eu: 97 of 1,204 events, 3.0 MiB")
        #expect(
            TopicPurgeCommand.loss(of: topic, before: nil) == "orders.eu: 1,204 events, 3.0 MiB")
        #expect(
            TopicPurgeCommand.loss(of: topic, before: 5000) == "orders.eu: 1,204 events, 3.0 MiB")
    }

    @Test func `names what would change, and nothing that would not`() throws {
        let change = TopicAlteration(
            try topic(kept),
            TopicOptions(
                retainAge: "7d", retainCount: "default", retainBytes: "1KiB", eventBytes: "64KiB",
                overflow: "conflate", description: "y"))
        #expect(
            change.lines == [
                "retain age 30d to 7d", "event bytes default to 65536",
                "overflow default to conflate", "description",
            ])
        #expect(
            change.text.hasPrefix("orders.eu (1,204 events, 3.0 MiB): retain age 30d to 7d, "))
        #expect(TopicAlteration(try topic(kept), TopicOptions(description: "x")).lines.isEmpty)
    }

    @Test(arguments: [
        (TopicOptions(retainAge: "7d"), true), (TopicOptions(retainAge: "31d"), false),
        (TopicOptions(retainAge: "720h"), false), (TopicOptions(retainAge: "default"), true),
        (TopicOptions(retainAge: "unlimited"), false), (TopicOptions(retainCount: "5"), true),
        (TopicOptions(retainBytes: "1KiB"), false), (TopicOptions(retainBytes: "512"), true),
        (TopicOptions(retainBytes: "1MiB"), false), (TopicOptions(eventBytes: "1"), false),
    ]) func `knows which bounds may lose events`(options: TopicOptions, mayLose: Bool) throws {
        #expect(TopicAlteration(try topic(kept), options).mayLoseEvents == mayLose)
    }

    @Test func `tells what is in effect beside the default`() throws {
        let lines = TopicDescribeCommand.table(try topic(kept)).lines(width: nil)
        #expect(lines.contains("kept for     30d"))
        #expect(lines.contains("kept events  default (unlimited)"))
        #expect(lines.contains("kept bytes   1.0 KiB"))
        #expect(lines.contains("event size   default (1.0 MiB)"))
    }
}

@Suite("An export") struct TopicExportTests {
    private func page(
        _ offsets: ClosedRange<Int>, latest: Int, rest: String = #""gaps":[],"reset":null"#
    ) throws -> EventsPage {
        let events = offsets.map { #"{"cursor":"k-\#($0)","data":"# + "[\n\($0)]}" }
        let json =
            #"{"events":[\#(events.joined(separator: ","))],\#(rest),"cursor":"#
            + #""k-\#(offsets.upperBound)","earliest":1,"latest":\#(latest),"caught_up":"#
            + "\(offsets.upperBound >= latest)}"
        return try #require(EventsPage(Array(json.utf8)))
    }

    @Test func `ends at the event that was the newest when it began`() throws {
        var export = TopicExport(topic: "a")
        let first = try export.take(try page(1...2, latest: 3))
        #expect(
            String(decoding: first.lines, as: UTF8.self)
                == #"{"cursor":"k-1","data":[ 1]}"# + "\n" + #"{"cursor":"k-2","data":[ 2]}"# + "\n"
        )
        #expect(!export.isDone && export.cursor == "k-2")
        // Two more were published meanwhile.
        let second = try export.take(try page(3...5, latest: 5))
        #expect(export.isDone && export.cursor == "k-3")
        #expect(
            String(decoding: second.lines, as: UTF8.self) == #"{"cursor":"k-3","data":[ 3]}"# + "\n"
        )
        #expect(export.summary == "exported 3 events, 87 B of a; last cursor k-3")
    }

    @Test func `of some events ends there, too, and says what it still looks at`() throws {
        var export = TopicExport(topic: "a", isFiltered: true)
        let json = { (events: String, cursor: Int, latest: Int) in
            #"{"events":[\#(events)],"gaps":[],"reset":null,"cursor":"k-\#(cursor)","earliest":1,"#
                + #""latest":\#(latest),"caught_up":\#(cursor >= latest)}"#
        }
        let page = { (text: String) in try #require(EventsPage(Array(text.utf8))) }
        let empty = try export.take(try page(json("", 5000, 9000)))
        #expect(empty.lines == [] && !export.isDone && export.cursor == "k-5000")
        #expect(export.progressText == "exported 0 events, 0 B; 4,000 to look at")
        let events = #"{"cursor":"k-8000","data":1},{"cursor":"k-9001","data":2}"#
        let last = try export.take(try page(json(events, 9001, 9001)))
        #expect(
            String(decoding: last.lines, as: UTF8.self) == #"{"cursor":"k-8000","data":1}"# + "\n")
        #expect(export.isDone && export.cursor == "k-8000")
    }

    @Test func `tells gaps, and refuses a cursor that is not valid any more`() throws {
        var export = TopicExport(topic: "a")
        let taken = try export.take(
            try page(
                3...3, latest: 3,
                rest: #""gaps":[{"from":1,"to":2,"reason":"purged"}],"reset":null"#))
        #expect(taken.notes == ["gap: a 1 to 2 are not kept (purged)"])
        let reset = try page(
            1...1, latest: 1, rest: #""gaps":[],"reset":{"cursor":"k-0","reason":"recreated"}"#)
        let failure = #expect(throws: CommandFailure.self) { try export.take(reset) }
        #expect(failure?.status == .refused)
    }

    @Test func `that breaks off says where to go on`() throws {
        var export = TopicExport(topic: "a")
        let away = CommandFailure(.unreachable, "Away.", remedy: "Wait.")
        #expect(export.broken(by: away) as? CommandFailure == away)
        _ = try export.take(try page(1...2, latest: 3))
        let told = try #require(export.broken(by: away) as? CommandFailure)
        #expect(told.status == .unreachable && told.message == "Away. 2 events were exported.")
        #expect(told.remedy.hasSuffix("sluice topic export a --from after:k-2"))
    }
}

@Suite("Lines to import") struct ImportedLinesTests {
    private func ids(_ lines: [String]) throws -> [String?] {
        let format = ImportedLines(topic: "copy")
        return try lines.compactMap { try format.event(Array($0.utf8)) }.map(\.eventID)
    }

    @Test func `go to the topic, with their own id or the cursor that they had`() throws {
        let format = ImportedLines(topic: "copy")
        let line =
            #"{"type":"event","topic":"a","offset":7,"cursor":"k-7","time":"t","key":"k","#
            + #""attributes":{"x":"y"},"data":{"n":1.10}}"#
        let event = try format.event(Array(line.utf8))
        #expect(
            event
                == OutgoingEvent(
                    topic: "copy", data: Array(#"{"n":1.10}"#.utf8), key: "k", eventID: "k-7",
                    attributes: Array(#"{"x":"y"}"#.utf8)))
        #expect(try ids([#"{"event_id":"e","cursor":"k-8","data":1}"#]) == ["e"])
        #expect(try format.event(Array(#"{"type":"gap","from":1}"#.utf8)) == nil)
    }

    @Test func `that have no id get the same one when they are read again`() throws {
        let lines = [#"{"data":1}"#, #"{"data":1}"#, #"{"data":2}"#]
        let first = try ids(lines)
        #expect(Set(first).count == 3)
        // More lines behind them, or empty ones between, change nothing.
        let again = try ids([lines[0], "", lines[1], lines[2], lines[0]])
        #expect(Array(again.prefix(3)) == first)
        // Behind other lines it is another event.
        #expect(try ids([#"{"data":9}"#, #"{"data":1}"#])[1] != first[1])
    }
}
