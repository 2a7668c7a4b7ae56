import EventModel
import Testing

@testable import Delivery

@Suite("Where a subscription begins") struct StartPlanTests {
    private let epoch = Epoch(incarnation: "memory0001", topicID: 1)
    private let topic = try? TopicName("a")

    private func plan(
        _ from: StartPosition, cursor: Cursor? = nil, earliest: Offset = 11, latest: Offset = 20,
        isEphemeral: Bool = false
    ) throws -> StartPlan {
        let topic = try #require(topic)
        let position = TopicPosition(
            topic: topic, epoch: epoch, earliest: earliest, latest: latest,
            isEphemeral: isEphemeral)
        return StartPlan(
            positions: [position], from: from, cursors: cursor.map { [topic: $0] } ?? [:])
    }

    @Test(arguments: [
        (StartPosition.latest, Offset(20)), (.earliest, 10), (.last(3), 17), (.last(10), 10),
        (.last(11), 10), (.last(9_007_199_254_740_991), 10), (.offset(21), 20), (.offset(1), 0),
    ]) func `needs no question for what the node knows`(from: StartPosition, cursor: Offset) throws
    {
        let plan = try plan(from)
        #expect(Array(plan.cursors.values) == [cursor])
        #expect(plan.toResume.isEmpty && plan.toSearch.isEmpty && plan.toCheck == nil)
    }

    @Test(arguments: [StartPosition.latest, .earliest, .last(5)])
    func `begins an empty topic before its first event`(from: StartPosition) throws {
        #expect(Array(try plan(from, earliest: 1, latest: 0).cursors.values) == [0])
    }

    @Test func `asks for an offset beyond the next`() throws {
        let plan = try plan(.offset(22))
        #expect(plan.cursors.isEmpty && plan.toCheck?.topic == topic && plan.toCheck?.offset == 22)
    }

    @Test func `goes on at a cursor up to the head, also below retention`() throws {
        for offset: Offset in [0, 5, 20] {
            let cursor = Cursor(epoch: epoch, offset: offset)
            #expect(Array(try plan(.latest, cursor: cursor).cursors.values) == [offset])
            #expect(Array(try plan(.after(cursor)).cursors.values) == [offset])
        }
    }

    @Test func `asks about a cursor beyond the head or of another epoch`() throws {
        let other = Epoch(incarnation: "memory0000", topicID: 1)
        for cursor in [Cursor(epoch: epoch, offset: 21), Cursor(epoch: other, offset: 5)] {
            let plans = [try plan(.earliest, cursor: cursor), try plan(.after(cursor))]
            for plan in plans {
                #expect(plan.cursors.isEmpty && Array(plan.toResume.values) == [cursor])
            }
        }
    }

    @Test(arguments: [
        StartPosition.latest, .earliest, .last(3), .time(Timestamp(microseconds: 5)),
        .ago(.seconds(60)),
    ]) func `begins a pattern's ephemeral topic at its head`(from: StartPosition) throws {
        let plan = try plan(from, earliest: 21, isEphemeral: true)
        #expect(Array(plan.cursors.values) == [20])
        #expect(plan.toResume.isEmpty && plan.toSearch.isEmpty && plan.toCheck == nil)
    }

    @Test func `goes on at a cursor of an ephemeral topic, and asks about another life's`() throws {
        let known = Cursor(epoch: epoch, offset: 5)
        let other = Cursor(epoch: Epoch(incarnation: "memory0000", topicID: 1), offset: 5)
        for from in [StartPosition.latest, .earliest] {
            let plan = try plan(from, cursor: known, earliest: 21, isEphemeral: true)
            #expect(Array(plan.cursors.values) == [5])
        }
        #expect(Array(try plan(.after(known), isEphemeral: true).cursors.values) == [5])
        #expect(Array(try plan(.after(other), isEphemeral: true).toResume.values) == [other])
    }

    @Test func `searches for a time, and for what is new since a mark`() throws {
        let topic = try #require(topic)
        let mark = try StartPosition("mark:last-3.memory0001.1")
        for from in [StartPosition.time(Timestamp(microseconds: 5)), .ago(.seconds(60)), mark] {
            let plan = try plan(from)
            #expect(plan.cursors.isEmpty && plan.toSearch == [topic])
        }
    }

    @Test func `prefers a cursor to a mark`() throws {
        let mark = try StartPosition("mark:latest.memory0001.1")
        let plan = try plan(mark, cursor: Cursor(epoch: epoch, offset: 15))
        #expect(Array(plan.cursors.values) == [15] && plan.toSearch.isEmpty)
    }

    @Test func `a time counted back ends at the calendar's own beginning`() {
        let now = Timestamp(microseconds: 1_767_225_600_000_000)
        let second = StartPosition.ago(.seconds(1)).time(now: now)
        #expect(second == Timestamp(microseconds: 1_767_225_599_000_000))
        let long = StartPosition.ago(.seconds(1_000_000_000 * 86_400)).time(now: now)
        #expect(long.map { $0 < now } == true)
    }
}
