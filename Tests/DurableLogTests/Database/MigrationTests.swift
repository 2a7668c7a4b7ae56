import DurableLog
import EventModel
import Foundation
import PostgresBridge
import PostgresCluster
import Testing

@Suite("Migrations") struct MigrationTests {
    let conninfo: String
    let migrator: Migrator

    init() throws {
        conninfo = try LogNode.cluster.freshDatabase()
        migrator = Migrator(
            PostgresConfiguration(conninfo: conninfo), logger: LogNode.logger)
    }

    @Test func `are applied once, also by several nodes at the same time`() async throws {
        let counts = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 1...4 { group.addTask { try await migrator.apply().count } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(counts.reduce(0, +) == Migration.all.count)
        let status = try await migrator.status()
        #expect(status.allSatisfy { $0.applied != nil })
        #expect(try await migrator.apply().isEmpty)
    }

    @Test func `are listed before they are applied`() async throws {
        let status = try await migrator.status()
        #expect(status.map(\.migration.file) == Migration.all.map(\.file))
        #expect(status.allSatisfy { $0.applied == nil })
    }

    @Test func `refuse a database that is newer than the program`() async throws {
        _ = try await migrator.apply()
        try Session(conninfo).ask(
            "INSERT INTO sluice.migrations(version, name, checksum) VALUES (9999, 'later', '')")
        let error = await #expect(throws: BrokerError.self) { try await migrator.apply() }
        #expect(error?.message.contains("9999") == true)
        #expect(error?.retryAfter == nil)
        await #expect(throws: BrokerError.self) { try await migrator.status() }
    }

    @Test func `refuse a step that is not what the database was made with`() async throws {
        _ = try await migrator.apply()
        try Session(conninfo).ask("UPDATE sluice.migrations SET checksum = 'x' WHERE version = 1")
        let error = await #expect(throws: BrokerError.self) { try await migrator.apply() }
        #expect(error?.message.contains("0001_create_log.sql") == true)
    }

    @Test func `leave nothing of a step that failed`() async throws {
        try Session(conninfo).ask("CREATE SCHEMA sluice")
        await #expect(throws: BrokerError.self) { try await migrator.apply() }
        let tables = try Session(conninfo).ask(
            "SELECT FROM pg_class WHERE relnamespace = 'sluice'::regnamespace")
        #expect(tables.rowCount == 0)
    }

    @Test func `are exactly the files of the folder`() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../../migrations").standardizedFileURL
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(files == Migration.all.map(\.file))
        for migration in Migration.all {
            let text = try String(
                contentsOf: folder.appendingPathComponent(migration.file), encoding: .utf8)
            #expect(text == migration.sql)
        }
    }
}
