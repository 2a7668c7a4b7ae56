import ArgumentParser
import SluiceClient
import Testing

@testable import TopicCommands

@Suite("The options of 'subscribe'") struct SubscribeOptionsTests {
    private func options(_ arguments: String...) throws -> SubscribeOptions {
        try SubscribeCommand.parse(["orders.eu"] + arguments).options()
    }

    @Test func `say how the subscription is delivered`() throws {
        #expect(try options() == SubscribeOptions())
        #expect(
            try options("--overflow", "drop_oldest", "--max-rate", "10", "--credit", "50")
                == SubscribeOptions(overflow: .dropOldest, maxRate: 10, credit: 50))
        #expect(try options("--filter", "$.a > 1") == SubscribeOptions(filter: "$.a > 1"))
    }

    @Test func `name the policies there are`() {
        let error = #expect(throws: ValidationError.self) { try options("--overflow", "explode") }
        #expect(error?.message.contains("replay, conflate, drop_oldest, disconnect") == true)
    }
}
