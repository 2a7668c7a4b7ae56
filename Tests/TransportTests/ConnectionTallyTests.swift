import NIOCore
import Testing

@testable import Transport

@Suite("The tally of connections") struct ConnectionTallyTests {
    private var limits = TransportLimits()
    private var tally = ConnectionTally()

    init() {
        limits.connectionsMax = 4
        limits.connectionsPerAddressMax = 2
    }

    private func network(_ address: String) throws -> ClientNetwork? {
        ClientNetwork(try SocketAddress(ipAddress: address, port: 1))
    }

    @Test func `refuses what is above the limit of all, and takes whom somebody made room`()
        throws
    {
        var tally = tally
        let refusals = try (1...5).map { tally.enter(try network("192.0.2.\($0)"), limits) }
        #expect(refusals == [nil, nil, nil, nil, .tooMany])
        tally.leave(try network("192.0.2.1"))
        let again = tally.enter(try network("192.0.2.5"), limits)
        #expect(again == nil)
        #expect(tally.count == 4)
    }

    @Test(
        arguments: [
            ["192.0.2.1", "192.0.2.1", "::ffff:192.0.2.1"],
            ["2001:db8:1:2::1", "2001:db8:1:2:ffff::2", "2001:db8:1:2::3"],
        ])
    func `refuses what is above the limit of one network, and nobody else`(
        addresses: [String]
    ) throws {
        var tally = tally
        let refusals = try addresses.map { tally.enter(try network($0), limits) }
        #expect(refusals == [nil, nil, .tooManyOfNetwork])
        let others = try ["192.0.2.2", "2001:db8:1:3::1"].map {
            tally.enter(try network($0), limits)
        }
        #expect(others == [nil, nil])
        tally.leave(try network(addresses[0]))
        let again = tally.enter(try network(addresses[2]), limits)
        #expect(again == nil)
    }

    @Test func `counts what has no address, in all`() throws {
        var tally = tally
        let path = ClientNetwork(try SocketAddress(unixDomainSocketPath: "/tmp/x"))
        #expect(path == nil)
        let refusals = (1...5).map { _ in tally.enter(path, limits) }
        #expect(refusals == [nil, nil, nil, nil, .tooMany])
    }

    @Test func `refuses everybody once it is stopped`() throws {
        var tally = tally
        tally.stop()
        let refusal = tally.enter(try network("192.0.2.1"), limits)
        #expect(refusal == .isStopped)
    }

    @Test func `is told at the first refusal, and then those of ten seconds together`() {
        var notes = RefusalNotes()
        let told = [0, 1, 5, 9, 10, 11, 30].map { second in
            notes.refused(now: .uptimeNanoseconds(0) + .seconds(second))
        }
        #expect(told == [1, nil, nil, nil, 4, nil, 2])
    }
}
