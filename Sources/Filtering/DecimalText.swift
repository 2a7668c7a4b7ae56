/// A JSON number where it stands in its text, compared as the exact decimal that it is.
///
/// Its value is ±0.d₁d₂d₃… × 10^magnitude with d₁ not zero. No digit is lost and nothing is
/// allocated. Exponents beyond 10^17 count as 10^17.
struct DecimalText: Hashable, Sendable {
    let isNegative: Bool
    let magnitude: Int
    /// From the first digit that is not zero to behind the last one, with the point among them;
    /// empty: zero.
    let digits: Range<Int>

    private static let exponentMax = 100_000_000_000_000_000

    /// The number that fills `range`.
    init(_ text: Span<UInt8>, in range: Range<Int>) {
        var first: Int?
        var end = range.lowerBound
        var magnitude = 0
        var isBehindPoint = false
        var position = range.lowerBound
        isNegative = text.byte(at: position) == UInt8(ascii: "-")
        number: while position < range.upperBound {
            let byte = text.byte(at: position)
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                if byte != UInt8(ascii: "0") {
                    if first == nil { first = position }
                    end = position + 1
                }
                if isBehindPoint {
                    if first == nil { magnitude -= 1 }
                } else if first != nil {
                    magnitude += 1
                }
            case UInt8(ascii: "."): isBehindPoint = true
            case UInt8(ascii: "e"), UInt8(ascii: "E"):
                magnitude += Self.exponent(text, in: position + 1..<range.upperBound)
                break number
            default: break
            }
            position += 1
        }
        self.magnitude = magnitude
        digits = (first ?? end)..<end
    }

    private static func exponent(_ text: Span<UInt8>, in range: Range<Int>) -> Int {
        var exponent = 0
        for position in range {
            let byte = text.byte(at: position)
            guard byte >= UInt8(ascii: "0") else { continue }
            exponent = min(exponent * 10 + Int(byte - UInt8(ascii: "0")), exponentMax)
        }
        return text.byte(at: range.lowerBound) == UInt8(ascii: "-") ? -exponent : exponent
    }

    /// Less than 0, 0, or greater than 0, as this number is less than `other`, equal or greater.
    func order(
        _ text: Span<UInt8>, against other: DecimalText, _ otherText: Span<UInt8>
    ) -> Int {
        let sign = digits.isEmpty ? 0 : isNegative ? -1 : 1
        let otherSign = other.digits.isEmpty ? 0 : other.isNegative ? -1 : 1
        guard sign == otherSign, sign != 0 else { return sign - otherSign }
        guard magnitude == other.magnitude else {
            return magnitude < other.magnitude ? -sign : sign
        }
        var position = digits.lowerBound
        var otherPosition = other.digits.lowerBound
        while position < digits.upperBound, otherPosition < other.digits.upperBound {
            let digit = text.byte(at: position)
            let otherDigit = otherText.byte(at: otherPosition)
            if digit == UInt8(ascii: ".") {
                position += 1
            } else if otherDigit == UInt8(ascii: ".") {
                otherPosition += 1
            } else if digit == otherDigit {
                position += 1
                otherPosition += 1
            } else {
                return digit < otherDigit ? -sign : sign
            }
        }
        // The last digit is not zero, so whoever has digits left is further from zero.
        if position < digits.upperBound { return sign }
        return otherPosition < other.digits.upperBound ? -sign : 0
    }
}
