/// Counts the TLS records of application data in a connection's bytes (RFC 8446 5.1): how many
/// events share one is what fan-out costs.
struct RecordCounter {
    private static let applicationData: UInt8 = 23
    /// Of type, version and length.
    private static let headerBytes = 5

    private(set) var count = 0
    /// Bytes of the current record's header that have come.
    private var headerCount = 0
    /// Bytes of the current record that have not come.
    private var rest = 0
    private var length = 0

    /// Unsafe memory on the hot path: the ciphertext is the socket's own.
    mutating func passed(_ bytes: UnsafeRawBufferPointer) {
        var index = 0
        while index < bytes.count {
            if rest > 0 {
                let step = min(rest, bytes.count - index)
                rest -= step
                index += step
                continue
            }
            let byte = bytes[index]
            switch headerCount {
            case 0: if byte == Self.applicationData { count += 1 }
            case 3: length = Int(byte) << 8
            case 4: length |= Int(byte)
            default: break
            }
            index += 1
            headerCount += 1
            if headerCount == Self.headerBytes {
                headerCount = 0
                rest = length
            }
        }
    }
}
