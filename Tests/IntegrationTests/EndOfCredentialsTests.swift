import BrokerRuntime
import EventModel
import OpenSSLBridge
import PostgresBridge
import PostgresCluster
import SessionProtocol
import Testing

extension EndToEnd {
    @Suite("Credentials that end") struct EndOfCredentialsTests {
        /// A token in the database; it expires after some seconds if that is said.
        private func makeToken(
            in database: PostgresConnection, lifeSeconds: Int? = nil
        ) throws -> (id: String, text: String) {
            let id = String(Int.random(in: 1_000_000_000...9_999_999_999))
            let secret = String(repeating: "s", count: 40)
            _ = try database.query(
                """
                INSERT INTO sluice.tokens(id, name, hash, expires_at)
                VALUES ($1::text, 'test', $2::bytea, clock_timestamp() + $3::text::interval)
                """,
                [
                    .text(id), .bytes(Digest.sha256(secret.utf8)),
                    lifeSeconds.map { .text("\($0) s") } ?? .null,
                ])
            return (id, "slc_\(id)_\(secret)")
        }

        private func open(
            _ broker: TestBroker, token: String
        ) async throws -> (session: TestSocket, stream: TestSocket) {
            let session = try await TestSocket.open(broker, token: token)
            guard case .welcome = try await session.message() else {
                throw TimedOut(what: "welcome")
            }
            let stream = try await TestSocket.open(
                broker, "/v1/topics/\(freshTopic())/events", subprotocols: ["sluice.events.v1"],
                token: token)
            return (session, stream)
        }

        @Test func `close its session and its stream`() async throws {
            let broker = try await TestBroker.shared
            let database = try broker.database()
            defer { database.close() }
            let token = try makeToken(in: database, lifeSeconds: 3)
            let (session, stream) = try await open(broker, token: token.text)
            for socket in [session, stream] {
                #expect(try await socket.close() == (4200, "token_expired"))
            }
        }

        @Test func `by revocation close sessions and streams of every node`() async throws {
            let conninfo = try PostgresCluster.shared.freshDatabase()
            var brokers: [TestBroker] = []
            for node in ["one", "two"] {
                brokers.append(
                    try await TestBroker.start { configuration in
                        configuration.databaseURL = conninfo
                        configuration.node = node
                        configuration.limits.revocationInterval = .seconds(1)
                    })
            }
            let database = try PostgresConnection(PostgresConfiguration(conninfo: conninfo))
            defer { database.close() }
            let token = try makeToken(in: database)
            let other = try makeToken(in: database)
            var ended: [TestSocket] = []
            for broker in brokers {
                let (session, stream) = try await open(broker, token: token.text)
                ended += [session, stream]
            }
            let bystander = try await open(brokers[1], token: other.text).session

            _ = try database.query(
                "UPDATE sluice.tokens SET revoked_at = clock_timestamp() WHERE id = $1::text",
                [.text(token.id)])
            for socket in ended {
                #expect(try await socket.close() == (4201, "token_revoked"))
            }
            bystander.send(#"{"type":"ping","id":1}"#)
            guard case .pong(id: 1, _) = try await bystander.message() else {
                throw TimedOut(what: "pong")
            }
            for broker in brokers { try await broker.stop() }
        }
    }
}
