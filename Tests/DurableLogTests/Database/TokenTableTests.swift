import RepeatableChance
import AccessControl
import DurableLog
import EventModel
import Testing

@Suite("Tokens in the database") struct TokenTableTests {
    @Test func `are found, listed and revoked`() async throws {
        let node = try await LogNode.withFreshDatabase()
        var random = SeededGenerator(seed: 1)
        let token = Token(using: &random)
        let hash = [UInt8](repeating: 7, count: 32)
        let expires = Timestamp(microseconds: 1_900_000_000_000_000)
        #expect(await find(token.id, node) == nil)
        try await node.log.create(id: token.id, name: "ci", hash: hash, expires: expires)
        let record = try #require(await find(token.id, node))
        #expect(record.name == "ci")
        #expect(record.hash == hash)
        #expect(record.expires == expires)
        #expect(record.revoked == nil)
        #expect(try await node.log.list().map(\.id) == [token.id])
        #expect(try await node.log.revoke(id: token.id))
        #expect(try await node.log.revoke(id: token.id) == false)
        #expect(await find(token.id, node)?.revoked != nil)
        await node.stop()
    }

    @Test func `are found revoked or gone among many`() async throws {
        let node = try await LogNode.withFreshDatabase()
        var random = SeededGenerator(seed: 1)
        let ids = (0..<3).map { _ in Token(using: &random).id }
        for id in ids.dropLast() {
            try await node.log.create(
                id: id, name: "ci", hash: Array(repeating: 7, count: 32), expires: nil)
        }
        #expect(try await node.log.revoke(id: ids[0]))
        #expect(try await node.log.revoked(among: Set(ids)) == [ids[0], ids[2]])
        await node.stop()
    }

    @Test func `need a name`() async throws {
        let node = try await LogNode.withFreshDatabase()
        let error = await #expect(throws: BrokerError.self) {
            try await node.log.create(
                id: "0123456789", name: "", hash: Array(repeating: 0, count: 32), expires: nil)
        }
        #expect(error?.code == .invalidRequest)
        await node.stop()
    }

    func find(_ id: String, _ node: LogNode) async -> TokenRecord? {
        await withCheckedContinuation { continuation in
            node.log.find(id: id) { continuation.resume(returning: (try? $0.get()) ?? nil) }
        }
    }
}
