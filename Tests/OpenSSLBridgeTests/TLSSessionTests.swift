import OpenSSLBridge
import Testing

@Suite("A TLS session between bytes and bytes") struct TLSSessionTests {
    private let directory: TemporaryDirectory
    private let certificates: LocalCertificates

    init() throws {
        directory = try TemporaryDirectory()
        certificates = try LocalCertificates.prepare(
            in: directory.path, hostName: "broker.test", now: presentTime())
    }

    private func server(_ versions: TLSVersions = .all) throws -> MemoryPeer {
        let context = try TLSContext(
            .server(
                certificateChain: certificates.certificate, privateKey: certificates.privateKey),
            versions: versions)
        return try MemoryPeer(context)
    }

    private func client(
        _ hostName: String = "localhost", trust: TLSTrust? = nil, versions: TLSVersions = .all
    ) throws -> MemoryPeer {
        let trust = trust ?? TLSTrust(authorities: certificates.authority, includesSystem: false)
        let context = try TLSContext(.client(trust), versions: versions)
        return try MemoryPeer(context, hostName: hostName)
    }

    private func connected(_ versions: TLSVersions = .all) throws -> (MemoryPeer, MemoryPeer) {
        let (client, server) = (try client(versions: versions), try server())
        try client.use { session throws(TLSError) in try session.start() }
        try MemoryPeer.exchange(client, server)
        return (client, server)
    }

    @Test(arguments: [(TLSVersions.tls12, "TLSv1.2"), (.tls13, "TLSv1.3"), (.all, "TLSv1.3")])
    func `carries bytes both ways`(versions: TLSVersions, name: String) throws {
        let (client, server) = try connected(versions)

        try client.send(Array("question".utf8))
        try server.send(Array("answer".utf8))
        try MemoryPeer.exchange(client, server)

        #expect(server.received == Array("question".utf8))
        #expect(client.received == Array("answer".utf8))
        #expect(try client.use { $0.version } == name)
        #expect(try client.use { $0.cipher }.isEmpty == false)
    }

    @Test func `understands input in pieces of one byte`() throws {
        let (client, server) = (try client(), try server())
        try client.use { session throws(TLSError) in try session.start() }

        try MemoryPeer.exchange(client, server, piece: 1)
        try client.send([1, 2, 3])
        try MemoryPeer.exchange(client, server, piece: 1)

        #expect(server.received == [1, 2, 3])
    }

    @Test func `seals more than one record's worth in several records`() throws {
        let (client, server) = try connected()
        let before = server.records
        let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0) }

        try server.send(bytes)
        let records = server.records - before
        try MemoryPeer.exchange(client, server)

        #expect(records == 7)
        #expect(client.received == bytes)
    }

    @Test(arguments: ["localhost", "127.0.0.1", "::1", "broker.test"])
    func `accepts the names of the local certificate`(name: String) throws {
        let (client, server) = (try client(name), try server())
        try client.use { session throws(TLSError) in try session.start() }

        try MemoryPeer.exchange(client, server)

        #expect(try client.use { $0.isHandshakeComplete })
    }

    @Test(arguments: ["example.test", "127.0.0.2"])
    func `refuses a certificate that names another host`(name: String) throws {
        let (client, server) = (try client(name), try server())
        try client.use { session throws(TLSError) in try session.start() }

        let error = #expect(throws: TLSError.self) { try MemoryPeer.exchange(client, server) }

        #expect(error?.code == .verification)
        #expect(error?.message.contains("mismatch") == true)
    }

    @Test func `refuses a certificate of an unknown authority`() throws {
        let other = try TemporaryDirectory()
        let stranger = try LocalCertificates.prepare(
            in: other.path, hostName: "other.test", now: presentTime())
        let trust = TLSTrust(authorities: stranger.authority, includesSystem: false)
        let (client, server) = (try client(trust: trust), try server())
        try client.use { session throws(TLSError) in try session.start() }

        let error = #expect(throws: TLSError.self) { try MemoryPeer.exchange(client, server) }

        #expect(error?.code == .verification)
    }

    @Test func `accepts any certificate when told to be insecure`() throws {
        let trust = TLSTrust(includesSystem: false, isInsecure: true)
        let (client, server) = (try client("example.test", trust: trust), try server())
        try client.use { session throws(TLSError) in try session.start() }

        try MemoryPeer.exchange(client, server)

        #expect(try client.use { $0.isHandshakeComplete })
    }

    @Test func `tells that the peer has closed`() throws {
        let (client, server) = try connected()

        try client.send([7])
        try client.use { $0.shutdown() }
        try client.deliver(to: server)

        #expect(server.received == [7])
        #expect(try server.use { $0.isPeerClosed })
    }

    @Test func `answers garbage with an alert and an error`() throws {
        let server = try server()

        let error = #expect(throws: TLSError.self) {
            try server.take([0x16, 3, 1, 0, 5] + Array("junk!".utf8))
        }

        #expect(error?.code == .handshake)
        #expect(server.sent.first == 21, "an alert record, RFC 8446 5.1")
    }

    @Test func `hands out what came before a broken record`() throws {
        let (client, server) = try connected()
        try client.send([1, 2])
        var bytes = client.sent
        try client.send([3, 4])
        bytes = client.sent
        bytes[bytes.count - 1] ^= 1

        #expect(throws: TLSError.self) { try server.take(bytes) }
    }

    @Test func `frees itself when its owner lets it go`() throws {
        weak var left: MemoryPeer?
        do {
            let (client, _) = try connected()
            left = client
        }
        #expect(left == nil)
    }
}
