import PostgresBridge
import PostgresCluster
import Testing

@Suite("Values, there and back in binary") struct ValueTests {
    let connection: PostgresConnection

    init() throws { connection = try connect() }

    @Test(arguments: [Int64.min, -1, 0, 1, .max])
    func `integers of every width`(value: Int64) throws {
        let result = try connection.query(
            "SELECT $1::int2, $2::int4, $3::int8",
            [
                .int2(Int16(truncatingIfNeeded: value)), .int4(Int32(truncatingIfNeeded: value)),
                .int8(value),
            ])
        #expect(result.int2(0, 0) == Int16(truncatingIfNeeded: value))
        #expect(result.int4(0, 1) == Int32(truncatingIfNeeded: value))
        #expect(result.int8(0, 2) == value)
        #expect(result.int8(0, 1) == Int64(Int32(truncatingIfNeeded: value)))
    }

    @Test func `text, json and bytes, empty ones too`() throws {
        let json = Array(#"{"a" : "ü\u0041"}"#.utf8)
        let result = try connection.query(
            "SELECT $1::text, $2::json, $3::bytea, $4::text, $5::bytea, $2::json::jsonb",
            [.text("naïve 🦉"), .json(json), .bytes([0, 255, 10]), .text(""), .bytes([])])
        #expect(result.text(0, 0) == "naïve 🦉")
        #expect(result.bytes(0, 1) == json)
        #expect(result.bytes(0, 2) == [0, 255, 10])
        #expect(result.text(0, 3) == "" && !result.isNull(0, 3))
        #expect(result.bytes(0, 4) == [] && !result.isNull(0, 4))
        #expect(result.text(0, 5) == #"{"a": "üA"}"#)
        #expect(result.withBytes(0, 2) { $0.count } == 3)
    }

    @Test func `text of a type that the server infers`() throws {
        let result = try connection.query(
            "SELECT $1::json::text, ($2::interval = '1 day'), $3::text",
            [.rawText(Array("[1]".utf8)), .rawText(Array("24:00:00".utf8)), .rawText([])])
        #expect(result.text(0, 0) == "[1]")
        #expect(result.bool(0, 1))
        #expect(result.text(0, 2) == "" && !result.isNull(0, 2))
    }

    @Test func `a NUL in text is refused, never cut off`() throws {
        for parameter in [PostgresParameter.text("a\0b"), .rawText([97, 0, 98])] {
            let error = try #require(throws: PostgresError.self) {
                try connection.query("SELECT $1::text", [parameter])
            }
            #expect(error.sqlState == "22021")
        }
    }

    @Test func `NULL reads as nothing`() throws {
        let result = try connection.query(
            "SELECT $1::text, NULL::int8, NULL::bool, NULL::timestamptz, NULL::int[]", [.null])
        #expect((0..<5).allSatisfy { result.isNull(0, $0) })
        #expect(result.text(0, 0) == "")
        #expect(result.int8(0, 1) == 0)
        #expect(!result.bool(0, 2))
        #expect(result.timestamp(0, 3) == 0)
        #expect(result.int8Array(0, 4) == [])
    }

    @Test func `times in microseconds since 1970`() throws {
        let moment: Int64 = 1_767_225_600_123_456
        let result = try connection.query(
            "SELECT $1::timestamptz, ($1 = '2026-01-01T00:00:00.123456Z')::bool, "
                + "'infinity'::timestamptz, '1970-01-01Z'::timestamptz, "
                + "$2::timestamptz = '-infinity'",
            [.timestamp(microsecondsSince1970: moment), .timestamp(microsecondsSince1970: .min)])
        #expect(result.timestamp(0, 0) == moment)
        #expect(result.bool(0, 1))
        #expect(result.timestamp(0, 2) == .max)
        #expect(result.timestamp(0, 3) == 0)
        #expect(result.bool(0, 4))
    }

    @Test func `arrays with NULLs, empty ones, and ones with odd contents`() throws {
        let result = try connection.query(
            """
            SELECT $1::int[], $2::bigint[], $3::text[], $4::bytea[], $5::int[], $6::int[], \
            $7::timestamptz[] = ARRAY['2000-01-01Z'::timestamptz, NULL]
            """,
            [
                .int4Array([1, -2, .max]), .int8Array([nil, .min, 3]),
                .textArray(["a,b", nil, "", "{\"}"]), .byteaArray([[0, 1], nil, []]),
                .int4Array([Int32]()), .int4Array([nil, 5]),
                .timestampArray([946_684_800_000_000, nil]),
            ])
        #expect(result.int8Array(0, 0) == [1, -2, Int64(Int32.max)])
        #expect(result.int8Array(0, 1) == [nil, .min, 3])
        #expect(result.textArray(0, 2) == ["a,b", nil, "", "{\"}"])
        #expect(result.bytesArray(0, 3) == [[0, 1], nil, []])
        #expect(result.int8Array(0, 4) == [] && !result.isNull(0, 4))
        #expect(result.int8Array(0, 5) == [nil, 5])
        #expect(result.bool(0, 6))
    }

    @Test func `arrays fit functions that take int, bigint, json, text and bytea arrays`() throws {
        try connection.script(
            """
            CREATE FUNCTION f(a int[], b bigint[], c json[], d text[], e bytea[]) RETURNS text
            LANGUAGE sql AS 'SELECT concat(a[1], b[2], c[1]->>''k'', d[1], length(e[1]))'
            """)
        let result = try connection.query(
            "SELECT f($1, $2, $3, $4, $5)",
            [
                .int4Array([1]), .int8Array([0, 2]), .jsonArray([Array(#"{"k":3}"#.utf8), nil]),
                .textArray(bytes: [[52]]), .byteaArray([[0, 0, 0, 0, 0]]),
            ])
        #expect(result.text(0, 0) == "12345")
    }

    @Test func `many rows, and values of megabytes`() throws {
        let large = [UInt8](repeating: 120, count: 8 << 20)
        let result = try connection.query("SELECT $1::bytea", [.bytes(large)])
        #expect(result.bytes(0, 0) == large)
        let rows = try connection.query("SELECT g, g::text FROM generate_series(1, 20000) g")
        #expect(rows.rowCount == 20_000 && rows.columnCount == 2)
        #expect(rows.int4(19_999, 0) == 20_000)
        #expect(rows.columnName(0) == "g")
    }
}
