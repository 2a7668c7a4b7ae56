package import NIOCore
internal import NIOPosix
internal import Synchronization

/// Hands work to event loops, from any thread.
///
/// A loop that sleeps is woken by its first task, and then takes the core on which the thread has
/// more for it: answers, events and their flush would be a wake each. What a thread hands over
/// `together` is one task for each loop (doc:AppendAndFollow).
package enum LoopTasks {
    private typealias Body = @Sendable () -> Void

    /// What a thread has for the loops; nobody else takes the lock.
    private final class Pile: Sendable {
        private struct State {
            var isOpen = false
            var tasks: [(loop: any EventLoop, bodies: [Body])] = []
        }

        private let state = Mutex(State())

        /// `false`: the thread has begun already.
        func open() -> Bool {
            state.withLock { state in
                defer { state.isOpen = true }
                return !state.isOpen
            }
        }

        func close() { state.withLock { $0.isOpen = false } }

        /// `false`: nothing is collected now.
        func takes(_ body: @escaping Body, for loop: any EventLoop) -> Bool {
            state.withLock { state in
                guard state.isOpen else { return false }
                if let index = state.tasks.firstIndex(where: { $0.loop === loop }) {
                    state.tasks[index].bodies.append(body)
                } else {
                    state.tasks.append((loop, [body]))
                }
                return true
            }
        }

        func send() {
            let tasks = state.withLock { state in
                defer { state.tasks = [] }
                return state.tasks
            }
            for (loop, bodies) in tasks {
                loop.execute { for body in bodies { body() } }
            }
        }
    }

    private static let piles = ThreadSpecificVariable<Pile>()

    /// Runs `body` on the loop, behind what the thread has handed to it before.
    package static func execute(
        on loop: any EventLoop, _ body: @escaping @Sendable () -> Void
    ) {
        guard piles.currentValue?.takes(body, for: loop) != true else { return }
        loop.execute(body)
    }

    /// What `body` hands over has reached the loops when this returns; within another call, what
    /// that has handed over, too.
    package static func together(_ body: () -> Void) {
        let pile = piles.currentValue ?? begin()
        let isOuter = pile.open()
        body()
        pile.send()
        if isOuter { pile.close() }
    }

    private static func begin() -> Pile {
        let pile = Pile()
        piles.currentValue = pile
        return pile
    }
}
