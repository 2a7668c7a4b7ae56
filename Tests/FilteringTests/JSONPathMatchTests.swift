import EventModel
import Filtering
import PostgresBridge
import PostgresCluster
import RepeatableChance
import Testing

/// What PostgreSQL says is right, as filters are its jsonpath in lax mode (doc:Filters).
@Suite("A filter and jsonb_path_match") struct JSONPathMatchTests {
    let connection: PostgresConnection

    init() throws {
        connection = try PostgresConnection(
            PostgresConfiguration(conninfo: try PostgresCluster.shared.freshDatabase()))
        try connection.prepare(
            "match",
            """
            SELECT coalesce(jsonb_path_match($1::text::jsonb, $2::text::jsonpath,
                '{"key": "k1", "topic": "orders.eu", "attributes": {"a": "1", "b": "ab"}}',
                silent => true), false)
            """)
    }

    private func postgresMatches(_ filter: String, _ data: String) throws -> Bool {
        try connection.execute("match", [.text(data), .text(filter)]).bool(0, 0)
    }

    private func check(_ filter: String, _ data: String) throws -> Bool {
        let expected = try postgresMatches(filter, data)
        let matched = try matches(
            filter, data, key: "k1", attributes: #"{"a":"1","b":"\u0061b"}"#)
        let same = try EventFilter(filter, bytesMax: 4096).text
        #expect(matched == expected, "\(filter) on \(data)")
        #expect(try postgresMatches(same, data) == expected, "\(same), of \(filter), on \(data)")
        return expected
    }

    /// Few that are drawn have a pattern that PostgreSQL takes and a filter does not.
    private func hasTooManyStates(_ filter: String) -> Bool {
        do throws(BrokerError) {
            _ = try EventFilter(filter, bytesMax: 4096)
            return false
        } catch {
            return error.message.contains("too many states")
        }
    }

    @Test func `agree on whatever documents and conditions`() throws {
        let chance = SeededGenerator()
        print("JSONPathMatchTests seed \(chance.seed)")
        var generator = FilterGenerator(chance: chance)
        var matchCount = 0
        for _ in 0..<2000 {
            let filter = generator.filter()
            guard !hasTooManyStates(filter) else { continue }
            for _ in 0..<2 {
                let data = generator.document(depth: 4, repeatsNames: !generator.hasAnyMember)
                if try check(filter, data) { matchCount += 1 }
            }
        }
        #expect((400...3600).contains(matchCount))
    }

    @Test func `agree on whatever patterns`() throws {
        let chance = SeededGenerator()
        print("JSONPathMatchTests seed \(chance.seed)")
        var generator = FilterGenerator(chance: chance)
        var matchCount = 0
        for _ in 0..<1000 {
            let pattern = generator.pattern(depth: 2)
            let flags = generator.flags()
            let filter = "$ like_regex \"\(pattern)\"" + (flags.isEmpty ? "" : " flag \"\(flags)\"")
            guard !hasTooManyStates(filter) else { continue }
            for _ in 0..<4 {
                if try check(filter, "\"\(generator.subject())\"") { matchCount += 1 }
            }
        }
        #expect((400...3600).contains(matchCount))
    }
}
