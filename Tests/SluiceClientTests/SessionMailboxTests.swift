import Testing

@testable import SluiceClient

@Suite("The mailbox of a session") struct SessionMailboxTests {
    private let mailbox = SessionMailbox()

    @Test func `gives what waits, in order, and then the end`() async throws {
        #expect(!mailbox.put([[1], [2]]))
        #expect(!mailbox.put([[3]]))
        mailbox.finish(.broken("first reason"))
        mailbox.finish(.broken("second reason"))
        #expect(try await mailbox.take() == .messages([[1], [2], [3]], wasFull: false))
        #expect(try await mailbox.take() == .end(.broken("first reason")))
    }

    @Test func `says when it is full, and when a full one was emptied`() async throws {
        let message = [UInt8](repeating: 0, count: SessionMailbox.fullAt)
        #expect(mailbox.put([message]))
        #expect(try await mailbox.take() == .messages([message], wasFull: true))
        #expect(!mailbox.put([[1]]))
    }

    @Test func `wakes a taker that waits`() async throws {
        async let taken = mailbox.take()
        _ = mailbox.put([[1]])
        #expect(try await taken == .messages([[1]], wasFull: false))
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
        _ = mailbox.put([[1]])
        #expect(try await next.value == .messages([[1]], wasFull: false))
    }
}
