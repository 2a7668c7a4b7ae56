import Foundation

/// Threads of its own for what a service or a client does elsewhere.
enum MultiThreadedSender {
    static func run(_ body: @escaping @Sendable () -> Void) {
        Thread.detachNewThread(body)
    }
}

/// How a slow client spends its time between two bytes.
enum Slowly {
    static func pause() -> Bool { usleep(2000) == 0 }
}
