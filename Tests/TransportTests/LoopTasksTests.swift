import NIOCore
import NIOPosix
import Synchronization
import Testing
import Transport

@Suite("What a thread hands to event loops") struct LoopTasksTests {
    private final class Notes: Sendable {
        private let texts = Mutex<[String]>([])
        func note(_ text: String) { texts.withLock { $0.append(text) } }
        var all: [String] { texts.withLock { $0 } }
    }

    /// Everything that came before has run.
    private static func settle(_ loops: [any EventLoop]) throws {
        for loop in loops { try loop.submit {}.wait() }
    }

    private func withLoops(_ body: ([any EventLoop], Notes) throws -> Void) throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        defer { try? group.syncShutdownGracefully() }
        try body(Array(group.makeIterator()), Notes())
    }

    @Test func `runs at once, in order`() throws {
        try withLoops { loops, notes in
            for number in 1...3 {
                LoopTasks.execute(on: loops[0]) { notes.note("\(number)") }
            }
            try Self.settle(loops)
            #expect(notes.all == ["1", "2", "3"])
        }
    }

    @Test func `comes together when all of it is there, in the order of each loop`() throws {
        try withLoops { loops, notes in
            LoopTasks.together {
                for number in 1...4 {
                    LoopTasks.execute(on: loops[number % 2]) { notes.note("\(number)") }
                }
                try? Self.settle(loops)
                #expect(notes.all == [])
            }
            try Self.settle(loops)
            #expect(notes.all.filter { ["1", "3"].contains($0) } == ["1", "3"])
            #expect(notes.all.filter { ["2", "4"].contains($0) } == ["2", "4"])
        }
    }

    @Test func `is there when an inner call ends, with what was handed over before`() throws {
        try withLoops { loops, notes in
            LoopTasks.together {
                LoopTasks.execute(on: loops[0]) { notes.note("before") }
                LoopTasks.together {
                    LoopTasks.execute(on: loops[0]) { notes.note("within") }
                }
                try? Self.settle(loops)
                #expect(notes.all == ["before", "within"])
                LoopTasks.execute(on: loops[0]) { notes.note("behind") }
            }
            try Self.settle(loops)
            #expect(notes.all == ["before", "within", "behind"])
            LoopTasks.execute(on: loops[0]) { notes.note("later") }
            try Self.settle(loops)
            #expect(notes.all.last == "later")
        }
    }
}
