internal import Synchronization
internal import ZlibBridge

/// Deflates messages without context, on any thread: what is made once for many connections.
///
/// It holds a `Deflater` for each thread that has deflated while others did, and no thread waits
/// for another's message.
package final class SharedDeflater: Sendable {
    /// A deflater, whose lock is taken by who has taken it out of `idle`.
    private final class Place: Sendable {
        let deflater = Mutex(Deflater())
    }

    private let idle = Mutex<[Place]>([])

    package init() {}

    /// What a message's frame carries: deflated if that makes it shorter.
    package func payload(of message: [UInt8]) -> (bytes: [UInt8], isCompressed: Bool) {
        let place = idle.withLock { $0.popLast() } ?? Place()
        defer { idle.withLock { $0.append(place) } }
        return place.deflater.withLock {
            $0.payload(of: message, bytesMin: MessageCompression.bytesMin)
        }
    }

    /// A message as a payload to be joined with others, like `DeflatedText`: what deflating does
    /// not make shorter is as it is, in 6 bytes more.
    package func piece(of message: [UInt8]) -> [UInt8] {
        let (bytes, isCompressed) = payload(of: message)
        if isCompressed { return bytes }
        var stored = DeflatedText()
        stored.append(stored: bytes)
        return stored.payload
    }
}
