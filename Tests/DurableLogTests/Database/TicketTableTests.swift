import AccessControl
import DurableLog
import EventModel
import PostgresBridge
import Testing

@Suite("Tickets in the database") struct TicketTableTests {
    private static let tokenID = "0123456789"

    private func node() async throws -> LogNode {
        let node = try await LogNode.withFreshDatabase()
        try await TokenDatabase(PostgresConfiguration(conninfo: node.conninfo)).create(
            id: Self.tokenID, name: "page", hash: Self.hash(0), expires: nil)
        return node
    }

    private static func hash(_ number: UInt8) -> [UInt8] { Array(repeating: number, count: 32) }

    private func issue(_ number: UInt8, _ node: LogNode) async -> Result<Timestamp, BrokerError> {
        await withCheckedContinuation { continuation in
            node.log.issue(ticket: Self.hash(number), of: Self.tokenID) {
                continuation.resume(returning: $0)
            }
        }
    }

    private func redeem(_ number: UInt8, _ log: PostgresLog) async throws -> RedeemedTicket? {
        try await withCheckedContinuation { continuation in
            log.redeem(ticket: Self.hash(number)) { continuation.resume(returning: $0) }
        }.get()
    }

    @Test func `are given out once, to one of many who ask on two nodes`() async throws {
        let node = try await node()
        let other = try await LogNode(node.conninfo, name: "other")
        for number in 1...20 as ClosedRange<UInt8> {
            let expires = try await issue(number, node).get()
            let found = try await withThrowingTaskGroup(of: RedeemedTicket?.self) { group in
                for log in [node.log, other.log, node.log, other.log] {
                    group.addTask { try await redeem(number, log) }
                }
                return try await group.reduce(into: [RedeemedTicket]()) {
                    if let ticket = $1 { $0.append(ticket) }
                }
            }
            #expect(found.map(\.token.id) == [Self.tokenID])
            #expect(found.map(\.expires) == [expires])
            #expect(found.map(\.isExpired) == [false])
        }
        await other.stop()
        await node.stop()
    }

    @Test func `live for half a minute, and are told apart from unknown ones for another`()
        async throws
    {
        let node = try await node()
        let session = try Session(node.conninfo)
        _ = try await issue(1, node).get()
        let left = try session.ask(
            "SELECT expires_at - now() BETWEEN '10 s' AND '30 s' FROM sluice.tickets")
        #expect(left.bool(0, 0))
        try session.ask("UPDATE sluice.tickets SET expires_at = now()")
        _ = try await issue(2, node).get()
        #expect(try await redeem(1, node.log)?.isExpired == true)
        #expect(try await redeem(1, node.log) == nil)

        try session.ask("UPDATE sluice.tickets SET expires_at = now() - interval '61 s'")
        _ = try await issue(3, node).get()
        #expect(try session.ask("SELECT FROM sluice.tickets").rowCount == 1)
        #expect(try await redeem(2, node.log) == nil)
        await node.stop()
    }

    @Test func `bring the token as it is now`() async throws {
        let node = try await node()
        let tokens = TokenDatabase(PostgresConfiguration(conninfo: node.conninfo))
        _ = try await issue(1, node).get()
        _ = try await issue(2, node).get()
        #expect(try await tokens.revoke(id: Self.tokenID))
        #expect(try await redeem(1, node.log)?.token.revoked != nil)
        try await tokens.forget(id: Self.tokenID)
        #expect(try await redeem(2, node.log) == nil)
        await node.stop()
    }

    @Test func `are bounded for each token, and it is told when there is room`() async throws {
        let node = try await node()
        let session = try Session(node.conninfo)
        try session.ask(
            """
            INSERT INTO sluice.tickets SELECT sha256(n::text::bytea), '\(Self.tokenID)',
              now() + n * interval '1 minute' FROM generate_series(1, 1000) n
            """)
        guard case .failure(let error) = await issue(1, node) else {
            Issue.record("it was issued")
            return
        }
        #expect(error.code == .rateLimited)
        #expect(try #require(error.retryAfter) > .seconds(30))
        #expect(try #require(error.retryAfter) <= .seconds(60))
        try session.ask(
            "UPDATE sluice.tickets SET token_id = 'another000' WHERE hash = sha256('1')")
        _ = try await issue(1, node).get()
        await node.stop()
    }
}
