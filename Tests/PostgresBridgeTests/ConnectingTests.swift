import NetworkFaults
@testable import PostgresBridge
import PostgresCluster
import Testing

@Suite("A connection that does not come up") struct ConnectingTests {
    func failure(
        _ configuration: PostgresConfiguration, while goesOn: (() -> Bool)? = nil,
        setUp: (PostgresConnection) throws(PostgresError) -> Void = { _ in }
    ) throws -> (PostgresError, Duration) {
        let start = ContinuousClock.now
        let error = try #require(throws: PostgresError.self) {
            try PostgresConnection(configuration, while: goesOn, setUp: setUp)
        }
        return (error, .now - start)
    }

    @Test func `is given up after the bound, however many addresses are silent`() throws {
        let server = SilentServer()
        let (error, time) = try failure(
            PostgresConfiguration(
                conninfo: server.conninfo(hosts: 10), setUpTimeout: .milliseconds(500)))
        #expect(error.kind == .connectionFailed)
        #expect(time < .seconds(10))
    }

    @Test func `is given up as soon as nobody wants it`() throws {
        let server = SilentServer()
        let (error, time) = try failure(
            PostgresConfiguration(conninfo: server.conninfo(), setUpTimeout: .seconds(60)),
            while: { false })
        #expect(error.kind == .connectionFailed)
        #expect(time < .seconds(10))
    }

    @Test func `leaves every host its turn`() throws {
        let server = SilentServer()
        let connection = try PostgresConnection(
            PostgresConfiguration(
                conninfo: server.before(try PostgresCluster.shared.freshDatabase()),
                setUpTimeout: .seconds(20)))
        #expect(try connection.query("SELECT 7").int8(0, 0) == 7)
    }

    @Test func `passes over a host that takes connections and ends them at once`() throws {
        let proxy = try SwitchProxy()
        let conninfo = try PostgresCluster.shared.freshDatabase()
            .replacing("host='", with: "host='127.0.0.1,", maxReplacements: 1)
            .replacing("port=5432", with: "port=\(proxy.port),5432")
        let connection = try PostgresConnection(PostgresConfiguration(conninfo: conninfo))
        #expect(connection.hostNumber == 1)
    }

    @Test func `is given up when its set-up hangs`() throws {
        let (error, time) = try failure(
            PostgresConfiguration(
                conninfo: try PostgresCluster.shared.freshDatabase(), setUpTimeout: .seconds(1)),
            setUp: { connection throws(PostgresError) in
                _ = try connection.query("SELECT pg_sleep(600)")
            })
        #expect(error.kind == .connectionFailed)
        #expect(time < .seconds(30))
    }

    @Test func `has no bound once it is up, but ends when nobody waits any more`() throws {
        var looks = 0
        let connection = try PostgresConnection(
            PostgresConfiguration(
                conninfo: try PostgresCluster.shared.freshDatabase(), setUpTimeout: .seconds(3)),
            while: {
                looks += 1
                return looks < 40
            })
        looks = 0
        let start = ContinuousClock.now
        let error = try #require(throws: PostgresError.self) {
            try connection.query("SELECT pg_sleep(600)")
        }
        #expect(error.kind == .timedOut)
        #expect(looks == 40)
        #expect(ContinuousClock.now - start > .seconds(3))
        #expect(connection.isClosed)
    }
}

@Suite("Several hosts, of which one cannot be written to") struct SeveralHostsTests {
    /// Both servers have the database `sluice`; the first named is read-only, as a standby is.
    func conninfo(_ readOnly: PostgresCluster, _ writable: PostgresCluster) throws -> String {
        func sluice(_ cluster: PostgresCluster) throws -> [Substring] {
            try cluster.freshDatabase().split(separator: "'", omittingEmptySubsequences: false)
        }
        let (first, second) = try (sluice(readOnly), sluice(writable))
        let user = "\(first[2].split(separator: " dbname=")[0])"
        let session = try PostgresConnection(
            PostgresConfiguration(conninfo: "host='\(first[1])'\(user) dbname=sluice"))
        try session.script("ALTER DATABASE sluice SET default_transaction_read_only = on")
        return "host='\(first[1]),\(second[1])'\(user) dbname=sluice"
    }

    @Test func `are asked until one can, unless the user says otherwise`() throws {
        let readOnly = PostgresCluster()
        defer { readOnly.stop() }
        let conninfo = try conninfo(readOnly, .shared)
        func isReadOnly(_ options: String) throws -> String {
            try PostgresConnection(PostgresConfiguration(conninfo: conninfo + options)).query(
                "SELECT current_setting('transaction_read_only')"
            ).text(0, 0)
        }
        #expect(try isReadOnly("") == "off")
        #expect(try isReadOnly(" target_session_attrs=any") == "on")
    }
}

@Suite("The first of several hosts") struct FirstHostTests {
    @Test func `can be another than the one that is named first`() {
        let hosts = PostgresHosts("host=a,b,c port=1,2,3 dbname=x")
        #expect(hosts.count == 3)
        #expect(hosts.rotated(by: 0).map(\.1) == ["a,b,c", "1,2,3"])
        #expect(hosts.rotated(by: 2).map(\.1) == ["c,a,b", "3,1,2"])
        #expect(hosts.rotated(by: 4).map(\.1) == ["b,c,a", "2,3,1"])
        #expect(PostgresHosts("host=a,b port=7").rotated(by: 1).map(\.1) == ["b,a", "7"])
        #expect(PostgresHosts("postgresql://a:1,b:2/x").rotated(by: 1).map(\.1) == ["b,a", "2,1"])
        #expect(PostgresHosts("dbname=x").count == 1)
    }

    @Test func `is told by the connection, however they are named`() {
        let hosts = PostgresHosts("host=/s,/s hostaddr=,127.0.0.1 port=1,2")
        #expect(hosts.number(host: "/s", port: "1") == 0)
        #expect(hosts.number(host: "/s", port: "2") == 1)
        #expect(hosts.number(host: "127.0.0.1", port: "2") == 1)
        #expect(PostgresHosts("dbname=x").number(host: "/s", port: "5432") == 0)
    }

    @Test func `decides which of two that can be written to`() throws {
        let other = PostgresCluster()
        defer { other.stop() }
        func parts(_ cluster: PostgresCluster) throws -> [Substring] {
            try cluster.freshDatabase().split(separator: "'", omittingEmptySubsequences: false)
        }
        let (first, second) = try (parts(other), parts(.shared))
        let user = "\(first[2].split(separator: " dbname=")[0])"
        var configuration = PostgresConfiguration(
            conninfo: "host='\(first[1]),\(second[1])'\(user) dbname=postgres")
        for number in [0, 1, 2] {
            configuration.firstHost = number
            #expect(try PostgresConnection(configuration).hostNumber == number % 2)
        }
    }
}
