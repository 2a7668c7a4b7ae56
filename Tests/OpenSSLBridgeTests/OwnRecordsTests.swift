// OpenSSL's client sessions, to ask them for what `TLSSession` never does.
import COpenSSL
import RepeatableChance
import Testing

@testable import OpenSSLBridge

private let suites = [
    "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
]

@Suite("A server that owns its records") struct OwnRecordsTests {
    private let side: TestServerContext

    init() throws { side = try TestServerContext(ownsRecords: true) }

    private func connected(
        _ client: OpenSSLClient, engine: RecordEngine? = nil
    ) throws -> MemoryPeer {
        let server = try side.peer(engine)
        try client.connect(to: server)
        #expect(try server.use { $0.ownsRecords })
        return server
    }

    private func pump(_ client: OpenSSLClient, _ server: MemoryPeer) throws -> [UInt8] {
        try server.take(client.takeOutput())
        client.giveInput(server.takeOutput())
        return try client.receive()
    }

    @Test(arguments: suites) func `carries bytes both ways`(suite: String) throws {
        let client = try OpenSSLClient(suites: suite)
        let server = try connected(client)
        #expect(try server.use { $0.cipher } == suite)
        #expect(try server.use { $0.version } == "TLSv1.3")

        var sent: [UInt8] = []
        for count in [1, 2, 15, 16, 17, 1000, 16_383, 16_384, 16_385, 100_000] {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ count) }
            sent += bytes
            try client.send(bytes)
            try server.send(bytes)
            #expect(try pump(client, server) == bytes)
        }
        #expect(server.received == sent)
    }

    @Test func `leaves TLS 1.2 to OpenSSL`() throws {
        let client = try OpenSSLClient(ciphers: "DEFAULT")
        let server = try side.peer()
        try client.connect(to: server)

        try client.send([1, 2])
        try server.send([3, 4])

        #expect(try pump(client, server) == [3, 4])
        #expect(server.received == [1, 2])
        #expect(try server.use { $0.ownsRecords } == false)
        #expect(try server.use { $0.version } == "TLSv1.2")
    }

    @Test(arguments: [1, 2, 5]) func `counts the tickets that were sent before`(
        count: Int
    ) throws {
        let side = try TestServerContext(ownsRecords: true, tickets: count)
        let client = try OpenSSLClient()
        let server = try side.peer()
        try client.connect(to: server)
        try server.send([1, 2, 3])
        #expect(try pump(client, server) == [1, 2, 3])

        let session = SSL_get1_session(client.ssl)
        defer { SSL_SESSION_free(session) }
        let again = try OpenSSLClient(session: session)
        let second = try side.peer()
        try again.connect(to: second)
        try again.send([4])
        try second.send([5])

        #expect(again.isResumed)
        #expect(try second.use { $0.ownsRecords })
        #expect(try pump(again, second) == [5])
        #expect(second.received == [4])
    }

    @Test(arguments: [1, 7, Int.max]) func `loses nothing that came with the client's Finished`(
        piece: Int
    ) throws {
        let (client, server) = (try OpenSSLClient(), try side.peer())
        _ = try client.handshake()
        try server.take(client.takeOutput())
        client.giveInput(server.takeOutput())
        #expect(try client.handshake())
        try client.send([1, 2, 3])
        try client.send([4])

        var bytes = client.takeOutput()[...]
        while !bytes.isEmpty {
            try server.take(Array(bytes.prefix(piece)))
            bytes = bytes.dropFirst(piece)
        }

        #expect(server.received == [1, 2, 3, 4])
        #expect(try server.use { $0.ownsRecords })
    }

    @Test(arguments: suites) func `takes a client's new keys`(suite: String) throws {
        let client = try OpenSSLClient(suites: suite)
        let server = try connected(client)
        for round: UInt8 in 0..<5 {
            try client.updateKeys(asks: false)
            try client.send([round])
            try server.send([round, 1])
            #expect(try pump(client, server) == [round, 1])
            #expect(server.received.last == round)
        }
    }

    @Test(arguments: suites) func `takes new keys of its own when it is asked`(
        suite: String
    ) throws {
        let client = try OpenSSLClient(suites: suite)
        let server = try connected(client)
        for round: UInt8 in 0..<5 {
            try client.updateKeys(asks: true)
            try client.updateKeys(asks: true)
            try client.send([round])
            try server.take(client.takeOutput())
            #expect(server.sent.isEmpty, "the answer goes with the next data")
            let before = server.records
            try server.send([round, 1])
            #expect(server.records - before == 2, "a KeyUpdate, once, and the data")
            #expect(try pump(client, server) == [round, 1])
            #expect(server.received.last == round)
        }
    }

    @Test(arguments: suites) func `takes new keys before the old ones are worn`(
        suite: String
    ) throws {
        let client = try OpenSSLClient(suites: suite)
        let server = try connected(client, engine: RecordEngine(recordsPerKey: 4))
        let before = server.records

        for byte: UInt8 in 0..<20 { try server.send([byte]) }

        #expect(server.records - before == 24, "20 of data, and 4 with KeyUpdate behind each 4")
        #expect(try pump(client, server) == [UInt8](0..<20))
        try client.send([1])
        try server.send([2])
        #expect(try pump(client, server) == [2])
        #expect(server.received == [1])
    }

    @Test func `says and hears close_notify, each way for itself`() throws {
        let client = try OpenSSLClient()
        let server = try connected(client)

        client.shutdown()
        try server.take(client.takeOutput())
        #expect(try server.use { $0.isPeerClosed })
        try server.send([1])
        #expect(!client.isClosedByServer)
        try server.use { $0.shutdown() }
        try server.use { $0.shutdown() }

        #expect(try pump(client, server) == [1])
        #expect(client.isClosedByServer)
        let error = #expect(throws: TLSError.self) { try server.send([2]) }
        #expect(error?.code == .closed)
    }

    @Test func `still hears who is to hear nothing more`() throws {
        let client = try OpenSSLClient()
        let server = try connected(client)
        try server.use { $0.shutdown() }
        client.giveInput(server.takeOutput())

        try client.send([1])
        try client.send([2])
        client.shutdown()
        try server.take(client.takeOutput())

        #expect(server.received == [1, 2])
        #expect(try server.use { $0.isPeerClosed })
    }

    @Test func `takes nothing behind close_notify`() throws {
        let client = try OpenSSLClient()
        let server = try connected(client)
        client.shutdown()
        try server.take(client.takeOutput() + [1, 2, 3, 4, 5, 6, 7, 8])
        #expect(server.received.isEmpty)
        #expect(server.sent.isEmpty)
    }

    @Test func `removes padding`() throws {
        let client = try OpenSSLClient()
        let server = try connected(client)
        #expect(SSL_set_block_padding(client.ssl, 4096) == 1)
        let sent = [[1], [2, 0, 0], [UInt8](repeating: 0, count: 16_384)]
        for bytes in sent { try client.send(bytes) }
        let output = client.takeOutput()
        #expect(output.count > 20_000)
        try server.take(output)
        #expect(server.received == sent.flatMap { $0 })
    }

    @Test func `takes records that are split anywhere`() throws {
        let client = try OpenSSLClient()
        let server = try connected(client)
        var sent: [UInt8] = []
        for byte: UInt8 in 0..<120 {
            try client.send([byte])
            try client.updateKeys(asks: false)
            try client.send([byte, 0, 1])
            sent += [byte, byte, 0, 1]
            let bytes = client.takeOutput()
            #expect(bytes.count == 23 + 27 + 25)
            let cut = Int(byte) % bytes.count
            try server.take(Array(bytes[..<cut]))
            try server.take(Array(bytes[cut...]))
        }
        #expect(server.received == sent)
    }

    @Test func `hears nothing of a record that does not come whole`() throws {
        let client = try OpenSSLClient()
        let server = try connected(client)
        try client.send([1, 2, 3])
        try server.take(client.takeOutput().dropLast())
        #expect(server.received.isEmpty)
        #expect(server.sent.isEmpty)
        #expect(try server.use { $0.isPeerClosed } == false)
    }

    @Test func `hands out what came before a broken record`() throws {
        let client = try OpenSSLClient()
        let server = try connected(client)
        try client.send([1, 2])
        try client.send([3, 4])
        var bytes = client.takeOutput()
        bytes[bytes.count - 1] ^= 1

        let error = #expect(throws: TLSError.self) { try server.take(bytes) }

        #expect(error?.code == .handshake)
        #expect(server.attempted == [1, 2])
        #expect(throws: TLSError.self) { try server.take([0]) }
        #expect(throws: TLSError.self) { try server.send([0]) }
    }

    @Test(arguments: suites) func `ends with the right alert whichever bit is another`(
        suite: String
    ) throws {
        let record = 5 + 3 + 1 + 16
        for bit in 0..<record * 8 {
            let client = try OpenSSLClient(suites: suite)
            let server = try connected(client)
            try client.send([1, 2, 3])
            var bytes = client.takeOutput()
            bytes[bit / 8] ^= 1 << (bit % 8)
            // A length that grew has to be filled before it is seen to be wrong.
            let rest = [UInt8](repeating: 0, count: 17_000)

            let error = #expect(throws: TLSError.self) { try server.take(bytes + rest) }

            #expect(error?.code == .handshake, "bit \(bit)")
            #expect(server.attempted.isEmpty, "bit \(bit)")
            client.giveInput(server.takeOutput())
            let failure = #expect(throws: OpenSSLClient.Failure.self) { try client.receive() }
            let length = Int(bytes[3]) << 8 | Int(bytes[4])
            let expected =
                bytes[0] != 23
                ? "unexpected message" : length > 16_640 ? "record overflow" : "bad record mac"
            #expect(failure?.reason.contains(expected) == true, "bit \(bit): \(failure as Any)")
        }
    }

    @Test func `takes no bytes but the client's, whatever is done to them`() throws {
        var chance = SeededGenerator()
        for _ in 0..<300 {
            let client = try OpenSSLClient()
            let server = try connected(client)
            var (sent, bytes): ([UInt8], [UInt8]) = ([], [])
            for _ in 0..<chance.pick(1...6) {
                if chance.chance(20) { try client.updateKeys(asks: chance.chance(50)) }
                let piece = (0..<chance.pick(1...40)).map { _ in
                    UInt8.random(in: 0 ... .max, using: &chance)
                }
                try client.send(piece)
                sent += piece
                bytes += client.takeOutput()
            }
            for _ in 0..<chance.pick(1...3) {
                let at = chance.pick(0...bytes.count - 1)
                switch chance.pick(0...3) {
                case 0: bytes[at] = UInt8.random(in: 0 ... .max, using: &chance)
                case 1: bytes.remove(at: at)
                case 2: bytes.insert(UInt8.random(in: 0 ... .max, using: &chance), at: at)
                default: bytes += bytes[at...].prefix(100)
                }
            }
            while !bytes.isEmpty {
                let piece = Array(bytes.prefix(chance.pick(1...60)))
                bytes.removeFirst(piece.count)
                guard (try? server.take(piece)) != nil else { break }
            }
            #expect(
                sent.prefix(server.attempted.count) == server.attempted[...],
                "SLUICE_SEED=\(chance.seed)")
        }
    }
}
