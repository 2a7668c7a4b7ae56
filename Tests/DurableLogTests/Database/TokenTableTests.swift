import RepeatableChance
import AccessControl
import DurableLog
import EventModel
import PostgresBridge
import PostgresCluster
import Testing

@Suite("Tokens in the database") struct TokenTableTests {
    @Test func `are found, listed and revoked`() async throws {
        let node = try await LogNode.withFreshDatabase()
        var random = SeededGenerator(seed: 1)
        let token = Token(using: &random)
        let hash = [UInt8](repeating: 7, count: 32)
        let expires = Timestamp(microseconds: 1_900_000_000_000_000)
        let tokens = TokenDatabase(PostgresConfiguration(conninfo: node.conninfo))
        #expect(await find(token.id, node) == nil)
        try await tokens.create(id: token.id, name: "ci", hash: hash, expires: expires)
        let record = try #require(await find(token.id, node))
        #expect(record.name == "ci")
        #expect(record.hash == hash)
        #expect(record.expires == expires)
        #expect(record.revoked == nil)
        #expect(try await tokens.list().map(\.id) == [token.id])
        #expect(try await tokens.revoke(id: token.id))
        #expect(try await tokens.revoke(id: token.id) == false)
        #expect(await find(token.id, node)?.revoked != nil)
        await node.stop()
    }

    @Test func `are found revoked or gone among many`() async throws {
        let node = try await LogNode.withFreshDatabase()
        var random = SeededGenerator(seed: 1)
        let ids = (0..<3).map { _ in Token(using: &random).id }
        let tokens = TokenDatabase(PostgresConfiguration(conninfo: node.conninfo))
        for id in ids.dropLast() {
            try await tokens.create(
                id: id, name: "ci", hash: Array(repeating: 7, count: 32), expires: nil)
        }
        #expect(try await tokens.revoke(id: ids[0]))
        #expect(try await node.log.revoked(among: Set(ids)) == [ids[0], ids[2]])
        await node.stop()
    }

    @Test func `have their grants, everything without any, and nothing when these are no grants`()
        async throws
    {
        let node = try await LogNode.withFreshDatabase()
        let tokens = TokenDatabase(PostgresConfiguration(conninfo: node.conninfo))
        let hash = [UInt8](repeating: 7, count: 32)
        let grants = Grants(publish: [try TopicPattern("orders.>")], admin: [.topics])
        try await tokens.create(
            id: "granted000", name: "g", hash: hash, expires: nil, grants: grants)
        try await tokens.create(id: "all0000000", name: "a", hash: hash, expires: nil)
        try await tokens.create(id: "broken0000", name: "b", hash: hash, expires: nil)
        let session = try Session(node.conninfo)
        try session.ask(
            #"UPDATE sluice.tokens SET grants = '{"read":["a"]}' WHERE id = 'broken0000'"#)
        #expect(await find("granted000", node)?.grants == grants)
        #expect(await find("all0000000", node)?.grants == .everything)
        #expect(await find("broken0000", node)?.grants == .nothing)
        await node.stop()
    }

    @Test func `need a name`() async throws {
        let tokens = TokenDatabase(PostgresConfiguration(conninfo: "host=/nonexistent"))
        let error = await #expect(throws: BrokerError.self) {
            try await tokens.create(
                id: "0123456789", name: "", hash: Array(repeating: 0, count: 32), expires: nil)
        }
        #expect(error?.code == .invalidRequest)
    }

    @Test func `have one first among many that ask at once, and none after that`() async throws {
        let tokens = try await migratedTokens()
        let stored = try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<8 {
                group.addTask {
                    try await tokens.createFirst(
                        id: "first0000\(number)", name: "first",
                        hash: Array(repeating: 0, count: 32))
                }
            }
            return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(stored == 1)
        let first = try #require(try await tokens.list().first)
        #expect(try await tokens.list().count == 1)
        #expect(try await tokens.revoke(id: first.id))
        #expect(
            try await !tokens.createFirst(id: "second0000", name: "first", hash: first.hash))
        try await tokens.forget(id: first.id)
        #expect(try await tokens.createFirst(id: "second0000", name: "first", hash: first.hash))
    }

    @Test func `of a database without a schema are told what to do`() async throws {
        let conninfo = try LogNode.cluster.freshDatabase()
        let error = await #expect(throws: BrokerError.self) {
            try await TokenDatabase(PostgresConfiguration(conninfo: conninfo)).list()
        }
        #expect(error?.code == .databaseUnavailable)
        #expect(error?.remedy.contains("sluice migrate") == true)
    }

    private func migratedTokens() async throws -> TokenDatabase {
        let configuration = PostgresConfiguration(conninfo: try LogNode.cluster.freshDatabase())
        _ = try await Migrator(configuration, logger: LogNode.logger).apply()
        return TokenDatabase(configuration)
    }

    func find(_ id: String, _ node: LogNode) async -> TokenRecord? {
        await withCheckedContinuation { continuation in
            node.log.find(id: id) { continuation.resume(returning: (try? $0.get()) ?? nil) }
        }
    }
}
