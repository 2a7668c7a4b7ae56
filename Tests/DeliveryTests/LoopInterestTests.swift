import EventModel
import Testing

@testable import Delivery

@Suite("What loops want") struct LoopInterestTests {
    private func loops(_ interest: LoopInterest, _ topic: String) throws -> [Int] {
        var interest = interest
        let (named, matching) = interest.loops(of: try TopicName(topic))
        return Set(named.keys).union(matching).sorted()
    }

    @Test func `is what they name and what their patterns match`() throws {
        var interest = LoopInterest()
        interest.topics[try TopicName("a.b")] = [3: 1]
        interest.add(try TopicPattern("a.*"), loop: 1)
        interest.add(try TopicPattern("a.>"), loop: 1)
        interest.add(try TopicPattern("a.>"), loop: 2)
        #expect(try loops(interest, "a.b") == [1, 2, 3])
        #expect(try loops(interest, "a.c") == [1, 2])
        #expect(try loops(interest, "b") == [])
    }

    @Test func `ends with the last group that has the pattern`() throws {
        var interest = LoopInterest()
        let pattern = try TopicPattern("a.*")
        for loop in [1, 1, 2] { interest.add(pattern, loop: loop) }
        var gone = [interest.remove(pattern, loop: 1)]
        #expect(try loops(interest, "a.b") == [1, 2])
        gone.append(interest.remove(pattern, loop: 1))
        #expect(try loops(interest, "a.b") == [2])
        gone.append(interest.remove(pattern, loop: 2))
        gone.append(interest.remove(pattern, loop: 2))
        #expect(gone == [false, false, true, false])
        #expect(try loops(interest, "a.b") == [])
    }

    @Test func `is found anew when a pattern comes or goes`() throws {
        var interest = LoopInterest()
        let topic = try TopicName("a.b")
        interest.add(try TopicPattern("a.*"), loop: 1)
        var found = [interest.loops(of: topic).matching]
        interest.add(try TopicPattern(">"), loop: 2)
        found.append(interest.loops(of: topic).matching)
        _ = interest.remove(try TopicPattern("a.*"), loop: 1)
        found.append(interest.loops(of: topic).matching)
        #expect(found == [[1], [1, 2], [2]])
    }
}
