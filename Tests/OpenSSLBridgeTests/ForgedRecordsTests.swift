// OpenSSL's ciphers, because no client of the library sends such records.
import COpenSSL
import Testing

@testable import OpenSSLBridge

@Suite("Records that no client should send") struct ForgedRecordsTests {
    private let output = CollectedOutput()
    private let layer: RecordLayer
    private let forger: Forger

    init() {
        layer = RecordLayer(
            RecordEngine(), sealing: TraceRFC8448.keys(TraceRFC8448.serverSecret),
            opening: TraceRFC8448.keys(TraceRFC8448.clientSecret))
        forger = Forger()
    }

    private func take(_ bytes: [UInt8]) throws -> [UInt8] {
        var result: [UInt8] = []
        try withUnsafeTemporaryAllocation(
            byteCount: RecordLayer.scratchBytesMin, alignment: 8
        ) { scratch in
            try bytes.withUnsafeBytes {
                try layer.receive($0, scratch: scratch, to: output) { result += $0 }
            }
        }
        return result
    }

    /// The alert that answers, as the client opens it.
    private func answer() throws -> [UInt8] {
        var keys = TraceRFC8448.keys(TraceRFC8448.serverSecret)
        let record = output.bytes
        guard record.count == 24 else { return record }
        var inner = [UInt8](repeating: 0, count: 3)
        let isAuthentic = try inner.withUnsafeMutableBytes { inner in
            try record.withUnsafeBytes { record in
                try RecordEngine().open(record, into: inner, with: &keys)
            }
        }
        #expect(isAuthentic)
        return inner
    }

    @Test func `may be full to the last byte, or padded to it`() throws {
        let full = [UInt8](repeating: 7, count: 16_384)
        #expect(try take(forger.seal(full + [23])) == full)
        let padded = [1, 23] + [UInt8](repeating: 0, count: 16_383)
        #expect(try take(forger.seal(padded)) == [1])
        #expect(try take(forger.seal([9, 0, 0, 23])) == [9, 0, 0])
        #expect(output.bytes.isEmpty)
    }

    @Test(
        arguments: [
            ([UInt8](repeating: 7, count: 16_385) + [23], 22),
            ([1, 23] + [UInt8](repeating: 0, count: 16_384), 22),
            ([0], 10), ([0, 0, 0, 0], 10), ([1, 20], 10), ([1, 99], 10), ([21], 10), ([22], 10),
            ([1, 0, 1, 21], 50), ([4, 0, 0, 0, 22], 10), ([24, 0, 0, 1, 3, 22], 47),
            ([24, 0, 0, 1, 0, 0, 22], 10), ([24, 0, 0, 9, 22], 50),
        ] as [([UInt8], UInt8)])
    func `are answered with an alert, and are the last`(inner: [UInt8], alert: UInt8) throws {
        let error = #expect(throws: TLSError.self) { try take(forger.seal(inner)) }

        #expect(error?.code == .handshake)
        #expect(try answer() == [2, alert, 21])
        #expect(throws: TLSError.self) {
            try [UInt8(1)].withUnsafeBytes { try layer.seal($0, to: output) }
        }
    }

    @Test(
        arguments: [
            // Alert, change of ciphers and handshake in clear; longer than a record may be.
            ([21, 3, 3, 0, 2, 1, 0], 10), ([20, 3, 3, 0, 1, 1], 10), ([22, 3, 3, 0, 1, 24], 10),
            ([23, 3, 3, 0x41, 1], 22), ([23, 3, 3, 0xff, 0xff], 22),
            // No room for a tag, or for a type.
            ([23, 3, 3, 0, 0], 20), ([23, 3, 3, 0, 1, 0], 20),
            ([23, 3, 3, 0, 16] + [UInt8](repeating: 0, count: 16), 20),
        ] as [([UInt8], UInt8)])
    func `are refused as soon as that is seen`(bytes: [UInt8], alert: UInt8) throws {
        #expect(throws: TLSError.self) { try take(bytes) }
        #expect(try answer() == [2, alert, 21])
    }

    @Test func `are refused when they come again, or in another order`() throws {
        let (first, second, third) = (
            forger.seal([1, 23]), forger.seal([2, 23]), forger.seal([3, 23])
        )
        #expect(try take(first) == [1])
        #expect(throws: TLSError.self) { try take(third + second) }
        #expect(try answer() == [2, 20, 21])
    }

    @Test func `are an alert of the peer's that is not answered`() throws {
        let error = #expect(throws: TLSError.self) { try take(forger.seal([2, 40, 21])) }
        #expect(error?.message.contains("alert 40") == true)
        #expect(output.bytes.isEmpty)
    }

    @Test func `may bring nothing for a while`() throws {
        for _ in 0..<32 { #expect(try take(forger.seal([23])) == []) }
        #expect(try take(forger.seal([1, 23])) == [1])
        for _ in 0..<32 { #expect(try take(forger.seal([23, 0])) == []) }
        #expect(throws: TLSError.self) { try take(forger.seal([23])) }
        #expect(try answer() == [2, 10, 21])
    }
}

/// Takes what is written.
private final class CollectedOutput: TLSOutput {
    private(set) var bytes: [UInt8] = []
    func write(_ bytes: UnsafeRawBufferPointer) { self.bytes += bytes }
}

/// Seals what it is told, whether or not that is a record's content.
private final class Forger {
    private var keys = TraceRFC8448.keys(TraceRFC8448.clientSecret)

    func seal(_ inner: [UInt8]) -> [UInt8] {
        let length = inner.count + 16
        let header = [23, 3, 3, UInt8(length >> 8), UInt8(length & 0xff)]
        var nonce = [UInt8](repeating: 0, count: 12)
        nonce.withUnsafeMutableBytes { nonce in
            if let start = nonce.baseAddress { keys.takeNonce(into: start) }
        }
        var (body, tag) = (inner, [UInt8](repeating: 0, count: 16))
        let context = EVP_CIPHER_CTX_new()
        defer { EVP_CIPHER_CTX_free(context) }
        var count: Int32 = 0
        EVP_EncryptInit_ex(context, EVP_aes_128_gcm(), nil, keys.key, nonce)
        EVP_EncryptUpdate(context, nil, &count, header, 5)
        EVP_EncryptUpdate(context, &body, &count, inner, Int32(inner.count))
        EVP_EncryptFinal_ex(context, &tag, &count)
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, &tag)
        return header + body + tag
    }
}
