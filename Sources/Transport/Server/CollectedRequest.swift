internal import NIOCore
internal import NIOHTTP1

/// An admitted request, with as much of its body as has come.
struct CollectedRequest {
    let head: HTTPRequestHead
    let number: Int
    let bodyBytesMax: Int
    let note: (any AnyObject & Sendable)?
    /// No request can follow it.
    let isLast: Bool
    let mayStream: Bool
    let asksForUpgrade: Bool
    /// When the body has to be complete.
    let deadline: NIODeadline
    /// Counts the body; `nil` without one.
    let reservation: BodyReservation?
    private(set) var bytes = ByteBuffer()

    init(
        _ check: RequestCheck, _ number: Int, _ collection: HTTPCollection, deadline: NIODeadline,
        reservation: BodyReservation?
    ) {
        head = check.head
        self.number = number
        bodyBytesMax = collection.bodyBytesMax
        note = collection.note
        isLast = check.isLast
        mayStream = collection.mayStream
        asksForUpgrade = check.asksForUpgrade
        self.deadline = deadline
        self.reservation = reservation
    }

    mutating func append(_ part: ByteBuffer) {
        var part = part
        if bytes.readableBytes == 0 { bytes = part } else { bytes.writeBuffer(&part) }
    }
}
