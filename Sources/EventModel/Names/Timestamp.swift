/// A point in time: microseconds since 1970-01-01T00:00:00Z, without leap seconds.
package struct Timestamp: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let microseconds: Int64

    package init(microseconds: Int64) { self.microseconds = microseconds }

    package static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.microseconds < right.microseconds
    }

    /// 0000-01-01T00:00:00Z: RFC 3339 has four digits for a year.
    package static let min = Timestamp(microseconds: -62_167_219_200_000_000)
    /// 9999-12-31T23:59:59.999999Z.
    package static let max = Timestamp(microseconds: 253_402_300_799_999_999)

    /// Stays within `min` and `max`, however far a user's `ago:` goes.
    package func advanced(by duration: Duration) -> Timestamp {
        let parts = duration.components
        // More than all years there are, and far from an overflow.
        let seconds = Swift.min(Swift.max(parts.seconds, -1_000_000_000_000), 1_000_000_000_000)
        let sum = microseconds + seconds * 1_000_000 + parts.attoseconds / 1_000_000_000_000
        return Swift.min(Swift.max(Timestamp(microseconds: sum), .min), .max)
    }

    /// RFC 3339, UTC, six digits of fraction (doc:CommonRules).
    package var description: String {
        String(decoding: utf8, as: UTF8.self)
    }

    /// The RFC 3339 text as 27 ASCII bytes, for years 0 to 9999.
    package var utf8: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(27)
        append(to: &bytes)
        return bytes
    }

    /// Appends the RFC 3339 text, without making a string.
    package func append(to bytes: inout [UInt8]) {
        let seconds = microseconds.quotientRoundedDown(1_000_000)
        let fraction = microseconds - seconds * 1_000_000
        let days = seconds.quotientRoundedDown(86_400)
        let second = seconds - days * 86_400
        let (year, month, day) = Self.civil(daysSince1970: days)
        Self.digits(year, 4, into: &bytes, then: UInt8(ascii: "-"))
        Self.digits(month, 2, into: &bytes, then: UInt8(ascii: "-"))
        Self.digits(day, 2, into: &bytes, then: UInt8(ascii: "T"))
        Self.digits(second / 3600, 2, into: &bytes, then: UInt8(ascii: ":"))
        Self.digits(second / 60 % 60, 2, into: &bytes, then: UInt8(ascii: ":"))
        Self.digits(second % 60, 2, into: &bytes, then: UInt8(ascii: "."))
        Self.digits(fraction, 6, into: &bytes, then: UInt8(ascii: "Z"))
    }

    private static func digits(
        _ value: Int64, _ count: Int, into bytes: inout [UInt8], then separator: UInt8
    ) {
        var divisor: Int64 = 1
        for _ in 1..<count { divisor *= 10 }
        while divisor > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(value / divisor % 10))
            divisor /= 10
        }
        bytes.append(separator)
    }

    /// Parses RFC 3339 with any offset and up to nine digits of fraction; `nil` if it is not valid.
    package init?(rfc3339 text: String) {
        var reader = TimestampReader(Array(text.utf8))
        guard let value = reader.microseconds() else { return nil }
        self.init(microseconds: value)
        // A zone can carry the first or last day out of the years that `description` can write.
        guard self >= .min, self <= .max else { return nil }
    }

    /// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
    private static func civil(daysSince1970: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = daysSince1970 + 719_468
        let era = shifted.quotientRoundedDown(146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    /// The inverse, days_from_civil.
    static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = shiftedYear.quotientRoundedDown(400)
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
            - 719_468
    }
}

extension Int64 {
    fileprivate func quotientRoundedDown(_ divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}

/// Reads RFC 3339 section 5.6 from left to right.
private struct TimestampReader {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func microseconds() -> Int64? {
        guard let year = number(4), skip("-"), let month = number(2), skip("-"),
            let day = number(2), skip("T", "t", " "),
            let hour = number(2), skip(":"), let minute = number(2), skip(":"),
            let second = number(2), let fraction = fraction(), let zone = zone(),
            position == bytes.count, (1...12).contains(month),
            (1...Self.daysIn(month, year)).contains(day), hour < 24, minute < 60, second < 61
        else { return nil }
        let days = Timestamp.days(year: year, month: month, day: day)
        let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - zone * 60
        return seconds * 1_000_000 + fraction
    }

    private static func daysIn(_ month: Int64, _ year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    private mutating func number(_ count: Int) -> Int64? {
        guard position + count <= bytes.count else { return nil }
        var value: Int64 = 0
        for byte in bytes[position..<position + count] {
            guard (0x30...0x39).contains(byte) else { return nil }
            value = value * 10 + Int64(byte - 0x30)
        }
        position += count
        return value
    }

    private mutating func skip(_ choices: Unicode.Scalar...) -> Bool {
        guard position < bytes.count, choices.contains(Unicode.Scalar(bytes[position])) else {
            return false
        }
        position += 1
        return true
    }

    /// Microseconds; further digits are cut off.
    private mutating func fraction() -> Int64? {
        guard skip(".") else { return 0 }
        var value: Int64 = 0
        var count = 0
        while let digit = number(1) {
            if count < 6 { value = value * 10 + digit }
            count += 1
        }
        guard (1...9).contains(count) else { return nil }
        for _ in 0..<max(0, 6 - count) { value *= 10 }
        return value
    }

    /// Minutes east of UTC.
    private mutating func zone() -> Int64? {
        if skip("Z") || skip("z") { return 0 }
        let isEast = skip("+")
        guard isEast || skip("-"), let hours = number(2), skip(":"), let minutes = number(2),
            hours < 24, minutes < 60
        else { return nil }
        return (isEast ? 1 : -1) * (hours * 60 + minutes)
    }
}
