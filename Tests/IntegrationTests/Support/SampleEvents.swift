import Foundation
import RepeatableChance

/// An event to publish.
struct SampleEvent: Equatable {
    var topic: String
    var data: [UInt8]
}

/// Events that a parser in between would spoil.
enum SampleEvents {
    /// Texts that hold no line end.
    static func make(using generator: inout SeededGenerator) -> [[UInt8]] {
        var texts = [
            "7", #""""#, "null", "true", "[]", "{}",
            "12345678901234567890.123456789e-30", "-0", "-0.0", "1E400", "1e-400",
            "123456789012345678901234567890123456789", "0.1000000000000000055511151231257827",
            #"{"a":1,"a":2,"a":1}"#, #"{"b":1,"":2,"a":3}"#,
            "{  \"a\" :\t[ 1 ,2,\t3 ]  , \"b\":{ } }",
            #""\u0000\u0007\b\f\n\r\t\/\\\"""#, #""\ud83d\ude00 \uD83D \udc00 \u00e9 é""#,
            #"{"\u0061":1,"a":2,"\u0000":3}"#, "\"\u{7f}\u{80}\u{2028}\u{2029}\u{feff}\"",
        ].map { Array($0.utf8) }
        texts.append(nested(512))
        texts.append(allPlanes(using: &generator))
        for size in [1, 2, 125, 126, 127, 4095, 16_384, 65_535, 65_536, 921_600] {
            texts.append(text(bytes: size, using: &generator))
        }
        return texts
    }

    /// Texts with line ends between tokens, which a line of NDJSON can't hold.
    static let withLineEnds: [[UInt8]] = [
        "{\n  \"a\": 1,\r\n  \"b\": [\n\t2\n  ]\n}", "[1\n,\n2]", "[\r]",
    ].map { Array($0.utf8) }

    /// Arrays in one another.
    static func nested(_ depth: Int) -> [UInt8] {
        Array((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8)
    }

    /// A string with scalars of all seventeen planes.
    private static func allPlanes(using generator: inout SeededGenerator) -> [UInt8] {
        var text = "\""
        for plane in UInt32(0)...16 {
            for _ in 0..<20 {
                let value = plane << 16 | UInt32.random(in: 0...0xFFFF, using: &generator)
                guard let scalar = Unicode.Scalar(value), value >= 0x80 else { continue }
                text.unicodeScalars.append(scalar)
            }
        }
        return Array((text + "\"").utf8)
    }

    /// A JSON text of exactly this size.
    static func text(bytes: Int, using generator: inout SeededGenerator) -> [UInt8] {
        guard bytes > 2 else { return Array(repeating: UInt8(ascii: "4"), count: bytes) }
        let letters = Array("abcdefghijklmnopqrstuvwxyz ".utf8)
        var text: [UInt8] = [UInt8(ascii: "\"")]
        text.reserveCapacity(bytes)
        var random = generator.next()
        for index in 0..<bytes - 2 {
            if index % 16 == 0 { random = generator.next() }
            text.append(letters[Int(random >> (UInt64(index % 16) * 4) & 15)])
        }
        text.append(UInt8(ascii: "\""))
        return text
    }
}
