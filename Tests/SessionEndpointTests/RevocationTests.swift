import AccessControl
import Delivery
import EventModel
import SessionEndpoint
import Synchronization
import Testing

@Suite("A token that is revoked") struct RevocationTests {
    private let tokens = RevokedTokens()
    private let node: TestNode
    private let watch: RevocationWatch

    init() throws {
        node = try TestNode(
            loops: 2,
            authenticate: { token, completion in
                completion(.success(Identity(tokenID: token, name: token, expires: nil)))
            })
        watch = RevocationWatch(hub: node.hub, store: tokens, interval: .seconds(20))
    }

    private func isAlive(_ client: TestClient) async throws -> Bool {
        client.send(#"{"type":"ping","id":1}"#)
        return try await client.told(1)[0].hasPrefix("pong")
    }

    @Test func `ends its sessions and streams, and nobody else's`() async throws {
        let first = try await TestClient.session(node, header: "Bearer bad")
        let second = try await TestClient.open(node)
        second.send(#"{"type":"auth","token":"bad"}"#)
        _ = try await second.told(2)
        let stream = try await TestClient.open(node, "/a", header: "Bearer bad")
        _ = try await stream.told(1)
        let other = try await TestClient.session(node, header: "Bearer good")
        let stranger = try await TestClient.open(node)

        tokens.answer.withLock { $0 = .success(["bad"]) }
        await watch.look()
        for client in [first, second, stream] {
            #expect(try await client.told(1) == ["closing 4201"])
            #expect(try await client.close() == 4201)
        }
        #expect(try await isAlive(other))
        stranger.send(#"{"type":"auth","token":"good"}"#)
        #expect(try await stranger.told(2) == ["welcome", "authenticated"])
    }

    @Test func `is found by one question about the tokens in use`() async throws {
        await watch.look()
        #expect(tokens.questions.withLock { $0 } == [])
        let clients = [
            try await TestClient.session(node, header: "Bearer one"),
            try await TestClient.session(node, header: "Bearer one"),
            try await TestClient.session(node, header: "Bearer two"),
        ]
        await watch.look()
        #expect(tokens.questions.withLock { $0 } == [["one", "two"]])
        for client in clients { #expect(try await isAlive(client)) }
    }

    @Test func `is not found while the database is away, which ends nobody`() async throws {
        let client = try await TestClient.session(node, header: "Bearer good")
        tokens.answer.withLock { $0 = .failure(BrokerError(.databaseUnavailable, "away")) }
        await watch.look()
        #expect(try await isAlive(client))
    }
}

/// A store that knows of nothing but revocations.
private final class RevokedTokens: TokenStore {
    let answer = Mutex<Result<Set<String>, BrokerError>>(.success([]))
    let questions = Mutex<[Set<String>]>([])

    func revoked(among ids: Set<String>) async throws(BrokerError) -> Set<String> {
        questions.withLock { $0.append(ids) }
        return try answer.withLock { $0 }.get()
    }

    func create(
        id: String, name: String, hash: [UInt8], expires: Timestamp?
    ) async throws(BrokerError) {}

    func list() async throws(BrokerError) -> [TokenRecord] { [] }

    func revoke(id: String) async throws(BrokerError) -> Bool { false }

    func find(
        id: String, completion: @escaping @Sendable (Result<TokenRecord?, BrokerError>) -> Void
    ) { completion(.success(nil)) }
}
