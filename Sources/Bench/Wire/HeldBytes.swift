/// A stream's bytes between what was read and what is whole: the beginning of something whose end
/// has not come is kept for the next read.
struct HeldBytes {
    private var bytes: [UInt8] = []

    /// Offers what was held and what is new, together; `take` tells how many bytes it took.
    ///
    /// Unsafe memory on the hot path: usually nothing is held, and nothing is copied.
    mutating func offer(
        _ new: UnsafeRawBufferPointer, to take: (UnsafeRawBufferPointer) -> Int
    ) {
        guard !bytes.isEmpty else {
            let taken = take(new)
            if taken < new.count { bytes = Array(new[taken...]) }
            return
        }
        bytes.append(contentsOf: new)
        let taken = bytes.withUnsafeBytes(take)
        bytes.removeFirst(taken)
    }
}
