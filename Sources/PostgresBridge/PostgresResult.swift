internal import CLibPQ

/// The rows of one statement, in binary format.
///
/// Rows and columns count from 0. A NULL reads as zero, false or empty: ask `isNull` where the
/// difference matters. Asking for another type than the column's is a bug and traps.
package struct PostgresResult: Sendable {
    private let storage: Storage

    /// Takes over `result`, which it clears when the last copy is gone.
    init(owning result: OpaquePointer) {
        storage = Storage(result)
    }

    package var rowCount: Int { Int(PQntuples(storage.result)) }
    package var columnCount: Int { Int(PQnfields(storage.result)) }

    /// Rows that INSERT, UPDATE, DELETE or MERGE touched, or that SELECT gave; 0 for others.
    package var affectedRows: Int {
        PQcmdTuples(storage.result).flatMap { Int(String(cString: $0)) } ?? 0
    }

    package func columnName(_ column: Int) -> String {
        PQfname(storage.result, Int32(column)).map { String(cString: $0) } ?? ""
    }

    package func isNull(_ row: Int, _ column: Int) -> Bool {
        checkBounds(row, column)
        return PQgetisnull(storage.result, Int32(row), Int32(column)) == 1
    }

    /// The bytes of a value without a copy, empty for NULL; valid during `body` only.
    package func withBytes<Value>(
        _ row: Int, _ column: Int, _ body: (UnsafeRawBufferPointer) throws -> Value
    ) rethrows -> Value {
        checkBounds(row, column)
        // Safe: the value lives as long as the PGresult, which `storage` keeps during the call.
        let start = PQgetvalue(storage.result, Int32(row), Int32(column))
        let count = Int(PQgetlength(storage.result, Int32(row), Int32(column)))
        return try withExtendedLifetime(storage) {
            try body(UnsafeRawBufferPointer(start: start, count: count))
        }
    }

    private func checkBounds(_ row: Int, _ column: Int) {
        precondition(
            row >= 0 && row < rowCount && column >= 0 && column < columnCount,
            "bug: (\(row), \(column)) of a result with \(rowCount) rows, \(columnCount) columns")
    }

    /// Keeps a PGresult until nobody needs it.
    // Safe: a PGresult is read-only after its creation, so threads may share it (manual 34.20),
    // and only this deinit clears it.
    private final class Storage: @unchecked Sendable {
        let result: OpaquePointer
        init(_ result: OpaquePointer) { self.result = result }
        deinit { PQclear(result) }
    }
}

// MARK: - Values

extension PostgresResult {
    /// An `int2`, `int4` or `int8`.
    package func int8(_ row: Int, _ column: Int) -> Int64 {
        withBytes(row, column) { Self.integer($0) }
    }

    /// An `int2` or `int4`.
    package func int4(_ row: Int, _ column: Int) -> Int32 {
        Int32(int8(row, column))
    }

    package func int2(_ row: Int, _ column: Int) -> Int16 {
        Int16(int8(row, column))
    }

    package func bool(_ row: Int, _ column: Int) -> Bool {
        withBytes(row, column) { $0.first == 1 }
    }

    /// Any type whose binary form is its text: text, varchar, name, json, xml, enums.
    package func text(_ row: Int, _ column: Int) -> String {
        withBytes(row, column) { String(decoding: contents($0, column), as: UTF8.self) }
    }

    /// The bytes of a text, json, jsonb (as text) or bytea.
    package func bytes(_ row: Int, _ column: Int) -> [UInt8] {
        withBytes(row, column) { Array(contents($0, column)) }
    }

    /// A `timestamptz` in microseconds since 1970; infinities are `Int64.max` and `Int64.min`.
    package func timestamp(_ row: Int, _ column: Int) -> Int64 {
        isNull(row, column) ? 0 : PostgresTimestamp.fromServer(int8(row, column))
    }

    /// An `int2[]`, `int4[]` or `int8[]`.
    package func int8Array(_ row: Int, _ column: Int) -> [Int64?] {
        elements(row, column) { Self.integer($0) }
    }

    /// A `text[]` or `json[]`.
    package func textArray(_ row: Int, _ column: Int) -> [String?] {
        elements(row, column) { String(decoding: $0, as: UTF8.self) }
    }

    /// A `bytea[]`, `text[]` or `json[]`.
    package func bytesArray(_ row: Int, _ column: Int) -> [[UInt8]?] {
        elements(row, column) { Array($0) }
    }

    private func contents(
        _ value: UnsafeRawBufferPointer, _ column: Int
    ) -> Slice<UnsafeRawBufferPointer> {
        // jsonb's binary form is a version byte and then the text (jsonb_send in jsonb.c).
        PQftype(storage.result, Int32(column)) == TypeOID.jsonb
            ? value.dropFirst() : value[...]
    }

    /// A big-endian integer of 2, 4 or 8 bytes; 0 for the empty bytes of a NULL.
    private static func integer(_ value: UnsafeRawBufferPointer) -> Int64 {
        switch value.count {
        case 0: 0
        case 2: Int64(Int16(bigEndian: value.loadUnaligned(as: Int16.self)))
        case 4: Int64(Int32(bigEndian: value.loadUnaligned(as: Int32.self)))
        case 8: Int64(bigEndian: value.loadUnaligned(as: Int64.self))
        default: preconditionFailure("bug: a value of \(value.count) bytes read as an integer")
        }
    }

    /// Takes an array apart (array_send in arrayfuncs.c); several dimensions come flattened.
    private func elements<Element>(
        _ row: Int, _ column: Int, _ read: (UnsafeRawBufferPointer) -> Element
    ) -> [Element?] {
        withBytes(row, column) { value in
            guard !value.isEmpty else { return [] }
            var position = 0
            func next() -> Int {
                // Unaligned, and within bounds or a trap: the buffer checks its range.
                let word = UnsafeRawBufferPointer(rebasing: value[position..<position + 4])
                position += 4
                return Int(Self.integer(word))
            }
            let dimensions = next()
            _ = (next(), next())  // the flag for NULLs and the element's type
            guard dimensions > 0 else { return [] }
            var count = 1
            for _ in 0..<dimensions {
                count *= next()
                _ = next()  // the lower bound
            }
            return (0..<count).map { _ in
                let length = next()
                guard length >= 0 else { return nil }
                defer { position += length }
                return read(UnsafeRawBufferPointer(rebasing: value[position..<position + length]))
            }
        }
    }
}
