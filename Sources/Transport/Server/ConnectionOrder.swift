internal import NIOCore

/// Keeps the order of one connection's work when a part of it has to wait before it can begin.
///
/// What comes behind it on the connection waits with it. Confined to the connection's event loop.
package final class ConnectionOrder {
    private var isHolding = false
    private var waiting = CircularBuffer<() -> Void>(initialCapacity: 0)

    init() {}

    /// Whether what comes now has to wait for something earlier.
    package var isHeld: Bool { isHolding || !waiting.isEmpty }

    /// Makes what comes wait until `release`.
    package func hold() { isHolding = true }

    /// Runs `body` after what waits already; the transport bounds how many requests a connection
    /// has.
    package func wait(_ body: @escaping () -> Void) { waiting.append(body) }

    /// Lets those that wait go on, until one of them holds again.
    package func release() {
        isHolding = false
        while !isHolding, let next = waiting.popFirst() { next() }
    }
}

@available(*, unavailable) extension ConnectionOrder: Sendable {}
