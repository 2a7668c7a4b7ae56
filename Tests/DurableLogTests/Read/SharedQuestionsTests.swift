import DurableLog
import Testing

@Suite("Equal questions") struct SharedQuestionsTests {
    let questions = SharedQuestions<String, Int>()

    @Test func `share one answer until it is sent`() throws {
        let shared = try #require(questions.join("page", 1))
        #expect(questions.join("page", 2) == nil)
        #expect(questions.join("other", 3) != nil)
        #expect(questions.close(shared) == [1, 2])
    }

    @Test func `are asked anew once it was sent`() throws {
        let first = try #require(questions.join("page", 1))
        #expect(questions.close(first) == [1])
        let second = try #require(questions.join("page", 2))
        // The first is sent again, after a lost connection: it answers nobody else.
        #expect(questions.close(first) == [1])
        #expect(questions.join("page", 3) == nil)
        #expect(questions.close(second) == [2, 3])
    }
}
