/// One parameter of a statement, in PostgreSQL's binary format.
package struct PostgresParameter: Sendable {
    /// The type's oid, 0 to let the server infer it; a prepared statement ignores it.
    let type: UInt32
    /// nil is NULL.
    let value: [UInt8]?
    let isBinary: Bool

    init(_ type: UInt32, _ value: [UInt8]?, isBinary: Bool = true) {
        self.type = type
        self.value = value
        self.isBinary = isBinary
    }

    package static var null: Self { Self(0, nil) }

    package static func text(_ value: String) -> Self { Self(TypeOID.text, Array(value.utf8)) }

    package static func bytes(_ value: [UInt8]) -> Self { Self(TypeOID.bytea, value) }

    package static func json(_ value: [UInt8]) -> Self { Self(TypeOID.json, value) }

    /// The text form of a value whose type the server infers.
    package static func rawText(_ value: [UInt8]) -> Self {
        // libpq measures text with strlen, which would cut it at a NUL without a word; sent as
        // binary, the server refuses it.
        value.contains(0) ? Self(0, value) : Self(0, value + [0], isBinary: false)
    }

    package static func bool(_ value: Bool) -> Self { Self(TypeOID.bool, [value ? 1 : 0]) }

    package static func int2(_ value: Int16) -> Self { Self(TypeOID.int2, bigEndian(value)) }

    package static func int4(_ value: Int32) -> Self { Self(TypeOID.int4, bigEndian(value)) }

    package static func int8(_ value: Int64) -> Self { Self(TypeOID.int8, bigEndian(value)) }

    /// A `timestamptz`; `Int64.max` and `Int64.min` are infinity and -infinity.
    package static func timestamp(microsecondsSince1970 value: Int64) -> Self {
        Self(TypeOID.timestamptz, bigEndian(PostgresTimestamp.toServer(value)))
    }

    private static func bigEndian(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }
}

// MARK: - Arrays

extension PostgresParameter {
    package static func int4Array(_ values: [Int32]) -> Self {
        integers(values, array: TypeOID.int4Array, element: TypeOID.int4)
    }

    package static func int4Array(_ values: [Int32?]) -> Self {
        integers(values, array: TypeOID.int4Array, element: TypeOID.int4)
    }

    package static func int8Array(_ values: [Int64]) -> Self {
        integers(values, array: TypeOID.int8Array, element: TypeOID.int8)
    }

    package static func int8Array(_ values: [Int64?]) -> Self {
        integers(values, array: TypeOID.int8Array, element: TypeOID.int8)
    }

    /// A `timestamptz[]` of microseconds since 1970.
    package static func timestampArray(_ values: [Int64?]) -> Self {
        integers(
            values.map { $0.map(PostgresTimestamp.toServer) },
            array: TypeOID.timestamptzArray, element: TypeOID.timestamptz)
    }

    package static func textArray(_ values: [String?]) -> Self {
        textArray(bytes: values.map { $0.map { Array($0.utf8) } })
    }

    package static func textArray(bytes values: [[UInt8]?]) -> Self {
        slices(values, array: TypeOID.textArray, element: TypeOID.text)
    }

    package static func jsonArray(_ values: [[UInt8]?]) -> Self {
        slices(values, array: TypeOID.jsonArray, element: TypeOID.json)
    }

    package static func byteaArray(_ values: [[UInt8]?]) -> Self {
        slices(values, array: TypeOID.byteaArray, element: TypeOID.bytea)
    }

    private static func integers<Value: FixedWidthInteger>(
        _ values: [Value], array: UInt32, element: UInt32
    ) -> Self {
        let width = Value.bitWidth / 8
        var encoder = ArrayEncoder(
            element: element, count: values.count, hasNull: false,
            capacity: values.count * (4 + width))
        for value in values {
            encoder.append(Int32(width))
            encoder.append(value)
        }
        return Self(array, encoder.bytes)
    }

    private static func integers<Value: FixedWidthInteger>(
        _ values: [Value?], array: UInt32, element: UInt32
    ) -> Self {
        let width = Value.bitWidth / 8
        var encoder = ArrayEncoder(
            element: element, count: values.count, hasNull: values.contains { $0 == nil },
            capacity: values.count * (4 + width))
        for value in values {
            if let value {
                encoder.append(Int32(width))
                encoder.append(value)
            } else {
                encoder.append(ArrayEncoder.nullLength)
            }
        }
        return Self(array, encoder.bytes)
    }

    private static func slices(_ values: [[UInt8]?], array: UInt32, element: UInt32) -> Self {
        var hasNull = false
        var capacity = 0
        for value in values {
            hasNull = hasNull || value == nil
            capacity += 4 + (value?.count ?? 0)
        }
        var encoder = ArrayEncoder(
            element: element, count: values.count, hasNull: hasNull, capacity: capacity)
        for value in values {
            if let value {
                encoder.append(Int32(value.count))
                encoder.bytes.append(contentsOf: value)
            } else {
                encoder.append(ArrayEncoder.nullLength)
            }
        }
        return Self(array, encoder.bytes)
    }
}

/// Writes the binary form of a one-dimensional array (array_recv in arrayfuncs.c): dimensions,
/// a flag for NULLs, the element's type, count and lower bound, then each element with its length.
private struct ArrayEncoder {
    static let nullLength: Int32 = -1
    static let headerBytes = 20

    var bytes: [UInt8] = []

    init(element: UInt32, count: Int, hasNull: Bool, capacity: Int) {
        bytes.reserveCapacity(Self.headerBytes + capacity)
        append(Int32(count == 0 ? 0 : 1))
        append(Int32(hasNull ? 1 : 0))
        append(element)
        if count > 0 {
            append(Int32(count))
            append(Int32(1))
        }
    }

    mutating func append(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }
}

/// Oids of built-in types (pg_type.dat); they never change.
enum TypeOID {
    static let bool: UInt32 = 16
    static let bytea: UInt32 = 17
    static let int8: UInt32 = 20
    static let int2: UInt32 = 21
    static let int4: UInt32 = 23
    static let text: UInt32 = 25
    static let json: UInt32 = 114
    static let jsonArray: UInt32 = 199
    static let byteaArray: UInt32 = 1001
    static let int4Array: UInt32 = 1007
    static let textArray: UInt32 = 1009
    static let int8Array: UInt32 = 1016
    static let timestamptz: UInt32 = 1184
    static let timestamptzArray: UInt32 = 1185
    static let jsonb: UInt32 = 3802
}

/// PostgreSQL counts microseconds from 2000-01-01, with the extremes as infinities.
enum PostgresTimestamp {
    static let microsecondsFrom1970To2000: Int64 = 946_684_800_000_000

    static func toServer(_ since1970: Int64) -> Int64 {
        guard since1970 != .max, since1970 != .min else { return since1970 }
        let (value, overflow) = since1970.subtractingReportingOverflow(microsecondsFrom1970To2000)
        return overflow ? .min : value
    }

    static func fromServer(_ since2000: Int64) -> Int64 {
        guard since2000 != .max, since2000 != .min else { return since2000 }
        let (value, overflow) = since2000.addingReportingOverflow(microsecondsFrom1970To2000)
        return overflow ? .max : value
    }
}
