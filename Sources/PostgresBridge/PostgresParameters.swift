/// The parameters of one statement, in PostgreSQL's binary format, one behind the other in one
/// buffer.
///
/// Made to be filled again: what is sent often takes no memory anew.
package struct PostgresParameters: Sendable {
    /// A larger buffer is let go when it is emptied.
    static let keptBytesMax = 4 << 20

    private struct Entry {
        /// The type's oid, 0 to let the server infer it; a prepared statement ignores it.
        var type: UInt32
        var start: Int
        var isNull: Bool
        var isBinary: Bool
    }

    /// Its first `end` are written.
    private var bytes: [UInt8] = []
    private var end = 0
    private var entries: [Entry] = []
    /// Where the header of the array begins whose elements are appended.
    private var arrayStart = 0

    package init() {}

    init(_ parameters: [PostgresParameter]) {
        for parameter in parameters { add(parameter) }
    }

    /// For other parameters.
    package mutating func removeAll() {
        if bytes.count > Self.keptBytesMax { bytes = [] }
        end = 0
        entries.removeAll(keepingCapacity: true)
    }

    package mutating func add(_ parameter: PostgresParameter) {
        begin(
            parameter.type, isNull: parameter.value == nil, isBinary: parameter.isBinary)
        if let value = parameter.value { append(bytes: value) }
    }

    package mutating func int4Array(_ values: [Int32]) {
        integers(values, array: TypeOID.int4Array, element: TypeOID.int4)
    }

    package mutating func int8Array(_ values: [Int64]) {
        integers(values, array: TypeOID.int8Array, element: TypeOID.int8)
    }

    /// Begins a `json[]` of so many elements, each of which is appended.
    package mutating func beginJSONArray(_ count: Int) {
        beginArray(count, array: TypeOID.jsonArray, element: TypeOID.json, bytes: 0)
    }

    /// Begins a `text[]` of so many elements, each of which is appended.
    package mutating func beginTextArray(_ count: Int) {
        beginArray(count, array: TypeOID.textArray, element: TypeOID.text, bytes: 0)
    }

    /// Appends an element to the array that was begun last; `nil` is NULL.
    package mutating func append(_ element: [UInt8]?) {
        guard let element else { return appendNull() }
        append(Int32(element.count))
        append(bytes: element)
    }

    /// As the other.
    package mutating func append(_ element: String?) {
        guard var element else { return appendNull() }
        element.withUTF8 { text in
            append(Int32(text.count))
            append(UnsafeRawBufferPointer(text))
        }
    }

    // MARK: For libpq

    var count: Int { entries.count }
    var types: [UInt32] { entries.map(\.type) }
    var formats: [Int32] { entries.map { $0.isBinary ? 1 : 0 } }

    var lengths: [Int32] {
        entries.indices.map { index in
            let next = index + 1 < entries.count ? entries[index + 1].start : end
            return Int32(next - entries[index].start)
        }
    }

    /// Where each value begins, `nil` for NULL; valid during `body` only.
    func withValues<Value>(_ body: ([UnsafePointer<CChar>?]) -> Value) -> Value {
        bytes.withUnsafeBytes { buffer in
            body(
                entries.map { entry in
                    entry.isNull
                        ? nil
                        : buffer.baseAddress?.advanced(by: entry.start)
                            .assumingMemoryBound(to: CChar.self)
                })
        }
    }

    // MARK: Bytes

    private mutating func begin(_ type: UInt32, isNull: Bool = false, isBinary: Bool = true) {
        // An empty value has an address, too: none would mean NULL to libpq.
        reserve(1)
        entries.append(Entry(type: type, start: end, isNull: isNull, isBinary: isBinary))
    }

    /// The binary form of a one-dimensional array (array_recv in arrayfuncs.c): dimensions, a flag
    /// for NULLs, the element's type, count and lower bound, then each element with its length.
    private mutating func beginArray(
        _ count: Int, array: UInt32, element: UInt32, bytes: Int
    ) {
        begin(array)
        arrayStart = end
        reserve(20 + bytes)
        append(Int32(count == 0 ? 0 : 1))
        append(Int32(0))
        append(element)
        guard count > 0 else { return }
        append(Int32(count))
        append(Int32(1))
    }

    private mutating func appendNull() {
        append(Int32(-1))
        bytes[arrayStart + 7] = 1
    }

    private mutating func integers<Value: FixedWidthInteger>(
        _ values: [Value], array: UInt32, element: UInt32
    ) {
        let width = MemoryLayout<Value>.size
        let size = values.count * (4 + width)
        beginArray(values.count, array: array, element: element, bytes: size)
        bytes.withUnsafeMutableBytes { buffer in
            var place = end
            for value in values {
                buffer.storeBytes(of: Int32(width).bigEndian, toByteOffset: place, as: Int32.self)
                buffer.storeBytes(of: value.bigEndian, toByteOffset: place + 4, as: Value.self)
                place += 4 + width
            }
        }
        end += size
    }

    private mutating func append<Value: FixedWidthInteger>(_ value: Value) {
        reserve(MemoryLayout<Value>.size)
        bytes.withUnsafeMutableBytes {
            $0.storeBytes(of: value.bigEndian, toByteOffset: end, as: Value.self)
        }
        end += MemoryLayout<Value>.size
    }

    private mutating func append(bytes value: [UInt8]) {
        value.withUnsafeBytes { append($0) }
    }

    private mutating func append(_ value: UnsafeRawBufferPointer) {
        reserve(value.count)
        bytes.withUnsafeMutableBytes { buffer in
            // Safe: `reserve` made the room, and a buffer checks its range.
            UnsafeMutableRawBufferPointer(rebasing: buffer[end..<end + value.count])
                .copyMemory(from: value)
        }
        end += value.count
    }

    private mutating func reserve(_ count: Int) {
        let missing = end + count - bytes.count
        guard missing > 0 else { return }
        bytes.append(contentsOf: repeatElement(0, count: max(missing, bytes.count, 1024)))
    }
}
