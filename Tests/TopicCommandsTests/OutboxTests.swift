import ArgumentParser
import DurableLog
import EventModel
import Testing

@testable import TopicCommands

@Suite("The refused events of SQL publishers") struct OutboxTests {
    private func event(
        _ id: Int64, secondsAgo: Int64, reason: String = "event_too_large", data: String = "{}",
        key: String? = nil
    ) -> RefusedEvent {
        RefusedEvent(
            id: id, time: Timestamp(microseconds: 1_000_000_000_000_000 - secondsAgo * 1_000_000),
            reason: reason, topic: "orders.eu",
            event: NewEvent(
                data: Array(data.utf8), key: key, eventID: key.map { "id \($0)" },
                attributes: key.map { _ in Array(#"{"a":1}"#.utf8) }),
            dataBytes: 2048)
    }

    private let now = Timestamp(microseconds: 1_000_000_000_000_000)

    @Test func `are a table whose last column, the data, is cut`() {
        let table = OutboxListCommand.table(
            [
                event(7, secondsAgo: 5, data: "{\"a\":\n\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}"),
                event(1234, secondsAgo: 7200, reason: "topic_not_found"),
            ], now: now)
        #expect(
            table.lines(width: 66) == [
                "  ID  AGE  REASON           TOPIC         SIZE  DATA",
                #"   7   5s  event_too_large  orders.eu  2.0 KiB  {"a": "aaaaaaaaaa…"#,
                "1234   2h  topic_not_found  orders.eu  2.0 KiB  {}",
            ])
    }

    @Test func `come with what to do about each reason, and how many are not shown`() {
        let notes = OutboxListCommand.notes(
            [
                event(1, secondsAgo: 0), event(2, secondsAgo: 0),
                event(3, secondsAgo: 0, reason: "x"),
            ],
            total: 10)
        #expect(notes.count == 2)
        #expect(notes.first == "and 7 more (--count)")
        #expect(notes.last?.hasPrefix("event_too_large: The event is too large. ") == true)
    }

    @Test func `are one line of JSON each, with all that was published`() {
        #expect(
            String(
                decoding: OutboxListCommand.json(
                    event(7, secondsAgo: 0, data: "[1,\n2]", key: "k")), as: UTF8.self)
                == #"{"id":7,"time":"2001-09-09T01:46:40.000000Z","reason":"event_too_large","#
                + #""topic":"orders.eu","key":"k","event_id":"id k","attributes":{"a":1},"#
                + #""data":[1, 2]}"# + "\n")
    }

    @Test func `that would be lost are named by topic and reason`() {
        let counts = (1...22).map {
            RefusedCount(
                topic: "t.\($0)", reason: "topic_not_found", count: 30 - Int64($0), oldest: now)
        }
        let lines = OutboxDiscardCommand.loss(counts)
        #expect(lines.count == 21)
        #expect(lines.first == "29 of t.1 (topic_not_found), since 2001-09-09T01:46:40Z")
        #expect(lines.last == "17 of 2 more topics and reasons")
    }

    @Test(arguments: [
        (["list", "--count", "0"], false), (["retry"], false), (["retry", "7", "--all"], false),
        (["retry", "7", "8"], true), (["discard", "--all", "--yes"], true), (["discard"], false),
    ]) func `are chosen by id, or all of them`(arguments: [String], isRight: Bool) {
        let parsed = try? SluiceCommand.parseAsRoot(["outbox"] + arguments)
        #expect((parsed != nil) == isRight)
    }

    @Test(arguments: [("y", true), ("YES", true), ("", false), ("n", false), (nil, false)])
    func `are deleted only if somebody confirms it`(answer: String?, isMeant: Bool) {
        let failure: CommandFailure?
        do throws(CommandFailure) {
            try Confirmation.ask("Delete?", isTerminal: true) { answer }
            failure = nil
        } catch {
            failure = error
        }
        #expect((failure == nil) == isMeant)
        #expect(throws: CommandFailure.self) {
            try Confirmation.ask("Delete?", isTerminal: false) { answer }
        }
    }
}
