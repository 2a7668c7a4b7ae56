import FoundationEssentials
import Glibc
import PostgresBridge
import Synchronization
import Testing

@testable import ManagedPostgres

@Suite("Who may log in to the cluster") struct AccessTests {
    /// What initdb wrote for versions that trusted whoever got at the socket.
    private static let trusting = """
        # TYPE  DATABASE        USER            ADDRESS                 METHOD

        local   all             all                                     trust
        host    all             all             127.0.0.1/32            reject
        host    all             all             ::1/128                 reject
        local   replication     all                                     trust
        host    replication     all             127.0.0.1/32            reject
        host    replication     all             ::1/128                 reject

        """

    private let trusted = "SELECT count(*)::text FROM pg_hba_file_rules WHERE auth_method = 'trust'"
    private let broken = """
        SELECT count(*)::text FROM pg_hba_file_rules WHERE error IS NOT NULL
        """

    /// Keeps the file's owner.
    private func overwrite(_ path: String, _ text: String) throws {
        let file = open(path, O_WRONLY | O_TRUNC)
        try #require(file >= 0)
        defer { close(file) }
        #expect(write(file, text, text.utf8.count) == text.utf8.count)
    }

    @Test func `is decided by the system user, and nobody is trusted`() throws {
        let directory = try TemporaryDirectory.withCluster()
        let postgres = directory.postgres()
        let conninfo = try postgres.start()
        defer { postgres.stop() }
        #expect(try ask(conninfo, trusted) == "0")
        #expect(try ask(conninfo, broken) == "0")
        let refused = conninfo.replacing("user=sluice", with: "user=stranger")
        let error = try #require(throws: PostgresError.self) { try ask(refused, "SELECT 'in'") }
        #expect(error.message.contains("Peer authentication failed"), "\(error)")
    }

    @Test func `is brought over from an earlier version's trust`() throws {
        let directory = try TemporaryDirectory.withCluster()
        let data = directory.path + "/postgres/data"
        try overwrite(data + "/pg_hba.conf", Self.trusting)
        try overwrite(data + "/pg_ident.conf", "# MAPNAME SYSTEM-USERNAME PG-USERNAME")
        let postgres = directory.postgres()
        let conninfo = try postgres.start()
        defer { postgres.stop() }
        #expect(try ask(conninfo, trusted) == "0")
        #expect(userID(data + "/pg_hba.conf") == userID(data))
    }

    @Test func `is brought over under a server that runs`() throws {
        let directory = try TemporaryDirectory.withCluster()
        let first = directory.postgres()
        let conninfo = try first.start()
        try overwrite(directory.path + "/postgres/data/pg_hba.conf", Self.trusting)
        _ = try ask(conninfo, "SELECT pg_reload_conf()::text")
        let stranger = conninfo.replacing("user=sluice", with: "user=stranger")
        let connection = try PostgresConnection(PostgresConfiguration(conninfo: conninfo))
        try connection.script("CREATE ROLE stranger LOGIN")
        connection.close()
        #expect(eventually { (try? ask(stranger, "SELECT 'in'")) == "in" })
        let pid = first.postmasterPID
        first.leaveRunning()

        let second = directory.postgres()
        #expect(try second.start() == conninfo)
        defer { second.stop() }
        #expect(second.postmasterPID == pid)
        #expect(eventually { (try? ask(stranger, "SELECT 'in'")) == nil })
        #expect(try ask(conninfo, "SELECT 'in'") == "in")
    }

    @Test func `stays as somebody changed it`() throws {
        let directory = try TemporaryDirectory.withCluster()
        let file = directory.path + "/postgres/data/pg_hba.conf"
        let changed = Self.trusting + "local sluice app scram-sha-256\n"
        try overwrite(file, changed)
        let postgres = directory.postgres()
        let conninfo = try postgres.start()
        defer { postgres.stop() }
        #expect(try ask(conninfo, "SELECT 'in'") == "in")
        #expect(try String(contentsOfFile: file, encoding: .utf8) == changed)
    }
}

@Suite("A data directory that another broker holds") struct DirectoryLockTests {
    @Test func `is refused without closing a descriptor of somebody else's`() throws {
        let directory = TemporaryDirectory()
        let layout = try ClusterLayout(directory: directory.path)
        let held = try DirectoryLock(layout)
        let watch = DescriptorWatch()
        // Takes the number of a descriptor as soon as it is free, and notices when it is closed
        // again.
        let threads = (0..<2).map { number in
            PostgresThread(name: "opener-\(number)") { watch.openAndLook() }
        }
        for _ in 0..<2000 {
            #expect(throws: ManagedPostgresError.self) { try DirectoryLock(layout) }
        }
        watch.isDone.store(true, ordering: .relaxed)
        threads.forEach { $0.join() }
        #expect(watch.lost.load(ordering: .relaxed) == 0)
        withExtendedLifetime(held) {}
    }
}

/// Opens and closes files, and counts those that somebody else closed.
private final class DescriptorWatch: Sendable {
    let lost = Atomic(0)
    let isDone = Atomic(false)

    func openAndLook() {
        while !isDone.load(ordering: .relaxed) {
            let file = open("/dev/null", O_RDONLY | O_CLOEXEC)
            for _ in 0..<20 where fcntl(file, F_GETFD) < 0 {
                lost.add(1, ordering: .relaxed)
                break
            }
            close(file)
        }
    }
}
