import OpenSSLBridge
import Testing

@Suite("A server with certificates of several names") struct ServerNameTests {
    private let first: TestServerContext
    private let second: TestServerContext

    init() throws {
        second = try TestServerContext(hostName: "second.test", ownsRecords: true)
        first = try TestServerContext(
            hostName: "first.test", ownsRecords: true, others: [second.context])
    }

    /// Which of the certificates a client gets that asks for a host and verifies it.
    private func chosen(_ host: String) throws -> Int? {
        try [first, second].firstIndex { one in
            let trust = TLSTrust(authorities: one.authority, includesSystem: false)
            let client = try MemoryPeer(TLSContext(.client(trust)), hostName: host)
            let server = try first.peer(RecordEngine())
            do {
                try client.use { session throws(TLSError) in try session.start() }
                try MemoryPeer.exchange(client, server)
                try client.send([1])
                try MemoryPeer.exchange(client, server)
                return server.received == [1]
            } catch {
                return false
            }
        }
    }

    @Test func `takes the one that has the name`() throws {
        #expect(try chosen("first.test") == 0)
        #expect(try chosen("second.test") == 1)
    }

    @Test func `takes the first for who asks for no name or for one that none has`() throws {
        #expect(try chosen("127.0.0.1") == 0)
        #expect(try chosen("third.test") == nil)
    }

    @Test func `knows how long it is good, and that its authority is a stranger`() throws {
        #expect((300 * 86_400..<830 * 86_400).contains(first.context.secondsLeft))
        #expect(first.context.chainFinding == "the certificate of its issuer is missing")
    }
}
