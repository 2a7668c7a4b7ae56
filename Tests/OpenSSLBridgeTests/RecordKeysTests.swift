import Testing

@testable import OpenSSLBridge

/// The trace of RFC 8448, section 3, at its end: what the application's records are made of.
enum TraceRFC8448 {
    static let clientSecret = hex(
        "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5")
    static let serverSecret = hex(
        "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643")
    /// What KeyUpdate makes of the server's; of Botan's tests, as the trace has no KeyUpdate.
    static let nextServerSecret = hex(
        "51921b8aa3001976eb401d0a4319a8516416a6c56001a357e5d162031e84f916")
    static let content = [UInt8](0...0x31)
    static let clientRecord = hex(
        "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a"
            + "20441e2b62974e1f5a6292a2977014bd1e3deae63aeebb21694915e4")
    /// The second of its keys: the first is a ticket's.
    static let serverRecord = hex(
        "17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30efaf97d90e6dffc602dcb"
            + "501a59a8fcc49c4bf2e5f0a21c0047c2abf332540dd032e167c2955d")
    static let clientAlert = hex("1703030013c98727606556" + "66b74d7ff1153efd6db6d0b0e3")
    static let serverAlert = hex("1703030013b58fd67166eb" + "f599d24720cfbe7efa7a8864a9")

    static func keys(_ secret: [UInt8], sequence: UInt64 = 0) -> RecordKeys {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: secret.count, alignment: 1)
        defer { copy.deallocate() }
        copy.copyBytes(from: secret)
        return RecordKeys(.aes128GCM, secret: UnsafeRawBufferPointer(copy), sequence: sequence)
    }

    private static func hex(_ text: String) -> [UInt8] {
        stride(from: 0, to: text.utf8.count, by: 2).map { at in
            UInt8(text.dropFirst(at).prefix(2), radix: 16) ?? 0
        }
    }
}

@Suite("The keys of a direction") struct RecordKeysTests {
    private func key(_ keys: borrowing RecordKeys) -> [UInt8] {
        Array(UnsafeBufferPointer(start: keys.key, count: keys.cipher.keyBytes))
    }

    @Test func `are those of RFC 8448`() {
        #expect(
            key(TraceRFC8448.keys(TraceRFC8448.clientSecret)) == [
                0x17, 0x42, 0x2d, 0xda, 0x59, 0x6e, 0xd5, 0xd9, 0xac, 0xd8, 0x90, 0xe3, 0xc6, 0x3f,
                0x50, 0x51,
            ])
        #expect(
            key(TraceRFC8448.keys(TraceRFC8448.serverSecret)) == [
                0x9f, 0x02, 0x28, 0x3b, 0x6c, 0x9c, 0x07, 0xef, 0xc2, 0x6b, 0xb9, 0xf2, 0xac, 0x92,
                0xe3, 0x56,
            ])
    }

    @Test func `give each record the IV with its number over it`() {
        var keys = TraceRFC8448.keys(TraceRFC8448.clientSecret, sequence: 0x0102_0304)
        var nonce = [UInt8](repeating: 0, count: 12)
        let iv: [UInt8] = [
            0x5b, 0x78, 0x92, 0x3d, 0xee, 0x08, 0x57, 0x90, 0x33, 0xe5, 0x23, 0xd9,
        ]

        nonce.withUnsafeMutableBytes { bytes in
            if let start = bytes.baseAddress { keys.takeNonce(into: start) }
        }

        let numbered: [UInt8] = [0x33 ^ 1, 0xe5 ^ 2, 0x23 ^ 3, 0xd9 ^ 4]
        #expect(nonce[..<8] == iv[..<8])
        #expect(nonce[8...].elementsEqual(numbered))
        #expect(keys.sequence == 0x0102_0305)
    }

    @Test func `go on to the next secret's, whose records begin at none`() {
        var keys = TraceRFC8448.keys(TraceRFC8448.serverSecret, sequence: 9)

        keys.update()

        #expect(key(keys) == key(TraceRFC8448.keys(TraceRFC8448.nextServerSecret)))
        #expect(keys.sequence == 0)
    }
}

@Suite("The records of RFC 8448") struct RecordTraceTests {
    private let engine = RecordEngine()

    private func seal(
        _ content: [UInt8], as type: RecordContent, _ sequence: UInt64
    ) throws -> [UInt8] {
        var keys = TraceRFC8448.keys(TraceRFC8448.serverSecret, sequence: sequence)
        return try content.withUnsafeBytes { Array(try engine.seal($0, as: type, with: &keys)) }
    }

    private func open(_ record: [UInt8], _ sequence: UInt64) throws -> [UInt8]? {
        var keys = TraceRFC8448.keys(TraceRFC8448.clientSecret, sequence: sequence)
        var inner = [UInt8](repeating: 0, count: record.count - 21)
        let isAuthentic = try inner.withUnsafeMutableBytes { inner in
            try record.withUnsafeBytes { try engine.open($0, into: inner, with: &keys) }
        }
        return isAuthentic ? inner : nil
    }

    @Test func `are sealed byte for byte`() throws {
        #expect(
            try seal(TraceRFC8448.content, as: .applicationData, 1) == TraceRFC8448.serverRecord)
        #expect(try seal([1, 0], as: .alert, 2) == TraceRFC8448.serverAlert)
    }

    @Test func `are opened, each with its own number only`() throws {
        #expect(try open(TraceRFC8448.clientRecord, 0) == TraceRFC8448.content + [23])
        #expect(try open(TraceRFC8448.clientAlert, 1) == [1, 0, 21])
        #expect(try open(TraceRFC8448.clientRecord, 1) == nil)
        #expect(try open(TraceRFC8448.clientAlert, 0) == nil)
    }
}
