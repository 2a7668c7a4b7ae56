import OpenSSLBridge

/// One end of a TLS connection whose other end is in the same test.
final class MemoryPeer: TLSOutput {
    private var session: TLSSession?
    /// Records on their way to the other end.
    private(set) var sent: [UInt8] = []
    private(set) var records = 0
    private(set) var received: [UInt8] = []
    /// The same, with what came in calls that failed.
    private(set) var attempted: [UInt8] = []
    private var scratch = [UInt8](repeating: 0, count: 2 * TLSSession.recordBytesMax)

    init(
        _ context: TLSContext, hostName: String? = nil, engine: RecordEngine? = nil
    ) throws(TLSError) {
        session = try TLSSession(context, hostName: hostName, output: self, engine: engine)
    }

    func write(_ bytes: UnsafeRawBufferPointer) {
        sent += bytes
        records += 1
    }

    /// What was sent and nobody has taken.
    func takeOutput() -> [UInt8] {
        defer { sent = [] }
        return sent
    }

    func use<Result>(_ body: (TLSSession) throws(TLSError) -> Result) throws(TLSError) -> Result {
        guard let session else { throw TLSError(.closed, "no session") }
        return try body(session)
    }

    func send(_ bytes: [UInt8]) throws(TLSError) {
        try use { session throws(TLSError) in
            let result: TLSError? = bytes.withUnsafeBytes { bytes in
                do throws(TLSError) { try session.seal(bytes) } catch { return error }
                return nil
            }
            if let result { throw result }
        }
    }

    func take(_ bytes: [UInt8]) throws(TLSError) {
        var plaintext: [UInt8] = []
        defer { attempted += plaintext }
        try use { session throws(TLSError) in
            let result: TLSError? = scratch.withUnsafeMutableBytes { scratch in
                bytes.withUnsafeBytes { bytes in
                    do throws(TLSError) {
                        try session.receive(bytes, scratch: scratch) { plaintext += $0 }
                    } catch { return error }
                    return nil
                }
            }
            if let result { throw result }
        }
        received += plaintext
    }

    /// Carries records both ways until nobody has any, in pieces of `piece` bytes.
    static func exchange(
        _ first: MemoryPeer, _ second: MemoryPeer, piece: Int = .max
    ) throws(TLSError) {
        while !first.sent.isEmpty || !second.sent.isEmpty {
            try first.deliver(to: second, piece: piece)
            try second.deliver(to: first, piece: piece)
        }
    }

    func deliver(to other: MemoryPeer, piece: Int = .max) throws(TLSError) {
        var bytes = sent[...]
        sent = []
        while !bytes.isEmpty {
            try other.take(Array(bytes.prefix(piece)))
            bytes = bytes.dropFirst(piece)
        }
    }
}
