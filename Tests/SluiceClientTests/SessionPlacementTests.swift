import EventModel
import Testing

@testable import SluiceClient

@Suite("The sessions of a client") struct SessionPlacementTests {
    private var placement = SessionPlacement()
    private var last: Int64 = 0

    private mutating func place(_ patterns: String..., isBatched: Bool = false) throws -> Int {
        last += 1
        return placement.place(
            last, try patterns.map { try TopicPattern($0) }, isBatched: isBatched)
    }

    /// The session that it left, and 1 if that is empty now.
    private mutating func remove(_ id: Int64) -> [Int]? {
        placement.remove(id).map { [$0.line, $0.isEmpty ? 1 : 0] }
    }

    @Test mutating func `hold all subscriptions together that do not overlap`() throws {
        #expect(try place("a.>") == 1)
        #expect(try place("b.*", "c") == 1)
        #expect(try place("d", "e") == 1)
    }

    @Test(arguments: ["a.x", "a.*", "*.x", ">", "c", "*"])
    mutating func `are one more for a subscription that overlaps`(pattern: String) throws {
        #expect(try place("a.>", "c") == 1)
        #expect(try place(pattern) == 2)
        #expect(try place("d.x.y") == 1)
    }

    @Test mutating func `keep those apart that want several messages in a text`() throws {
        #expect(try place("a") == 1)
        #expect(try place("b", isBatched: true) == 2)
        #expect(try place("c", isBatched: true) == 2)
    }

    @Test mutating func `take a place again that was left, and end with the last one`() throws {
        #expect(try place("a.>") == 1)
        #expect(try place("b") == 1)
        #expect(remove(1) == [1, 0])
        #expect(try place("a.x") == 1)
        #expect(remove(2) == [1, 0])
        #expect(remove(3) == [1, 1])
        #expect(remove(3) == nil)
        #expect(try place("a.x") == 2)
    }

    @Test mutating func `are not asked again for what the broker refused to have in one`() throws {
        #expect(try place("a") == 1)
        #expect(try place("b") == 1)
        #expect(placement.moveApart(2) == 2)
        #expect(placement.line(of: 2) == 2)
        #expect(try place("c") == 2)
        #expect(placement.moveApart(9) == nil)
    }

    @Test mutating func `have as many as a broker takes`() throws {
        for index in 1...SessionPlacement.membersMax { #expect(try place("a.n\(index)") == 1) }
        #expect(try place("b") == 2)
    }
}
