import Testing
import ZlibBridge

@Suite("Content as gzip") struct GzipTests {
    @Test(arguments: [0, 1, 39, 100_000]) func `is one member, shorter than what repeats`(
        count: Int
    ) {
        let content = (0..<count).map { UInt8(truncatingIfNeeded: $0 % 10) }
        let member = Gzip.compress(content)
        // RFC 1952 2.3: magic, deflate, no flags; at the end the length.
        #expect(Array(member.prefix(4)) == [0x1F, 0x8B, 8, 0])
        #expect(member.suffix(4).reversed().reduce(0) { $0 << 8 | Int($1) } == count)
        #expect(member.count < 40 + count / 100)
    }

    @Test func `ends with its checksum`() {
        // CRC-32 of "123456789", the check value of its definition, and 9, both little endian.
        let member = Gzip.compress(Array("123456789".utf8))
        #expect(Array(member.suffix(8)) == [0x26, 0x39, 0xF4, 0xCB, 9, 0, 0, 0])
    }
}
