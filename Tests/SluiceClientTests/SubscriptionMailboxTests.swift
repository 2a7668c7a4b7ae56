import Testing

@testable import SluiceClient

@Suite("The mailbox of a subscription") struct SubscriptionMailboxTests {
    private let mailbox = SubscriptionMailbox()

    private func item(_ behind: Int64) -> SubscriptionItem {
        .notice(.lagging(behind: behind), message: nil)
    }

    private func failure(_ code: String) -> SluiceError {
        SluiceError(.failed, code: code, "m", remedy: "r")
    }

    @Test func `gives what waits, in order, and then why it is over, again and again`() async throws
    {
        mailbox.put([item(1), item(2)], takenStep: 5)
        mailbox.put([item(3)], takenStep: 6)
        mailbox.finish(failure("first"))
        mailbox.finish(failure("second"))
        let delivery = try await mailbox.take()
        #expect(delivery == .init(items: [item(1), item(2), item(3)], takenStep: 6))
        for _ in 1...2 {
            let error = await #expect(throws: SluiceError.self) { try await mailbox.take() }
            #expect(error?.code == "first")
        }
    }

    @Test func `wakes a taker that waits`() async throws {
        async let taken = mailbox.take()
        mailbox.put([item(1)], takenStep: 1)
        #expect(try await taken.items == [item(1)])
    }

    @Test func `lets a cancelled taker go, before and during the wait`() async {
        let mailbox = mailbox
        let task = Task { try await mailbox.take() }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test func `makes another taker wait after a cancelled one, instead of asking again and again`()
        async throws
    {
        let mailbox = mailbox
        let cancelled = Task { try await mailbox.take() }
        try await eventually("a wait") { mailbox.isAwaited }
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        let next = Task { try await mailbox.take() }
        try await eventually("a wait") { mailbox.isAwaited }
        mailbox.put([item(1)], takenStep: 1)
        #expect(try await next.value.items == [item(1)])
    }
}
