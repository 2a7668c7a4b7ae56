import DurableLog
import EventModel
import Foundation
import PostgresBridge
import PostgresCluster
import Testing

@Suite("Migrations") struct MigrationTests {
    let conninfo: String
    let migrator: Migrator

    private static let files = Migration.all.map(\.file) + SchemaFunction.all.map(\.file)

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
        #expect(counts.reduce(0, +) == Self.files.count)
        let status = try await migrator.status()
        #expect(status.allSatisfy { $0.applied != nil })
        #expect(try await migrator.apply().isEmpty)
    }

    @Test func `are listed before they are applied`() async throws {
        let status = try await migrator.status()
        #expect(status.map(\.file) == Self.files)
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

    @Test func `make a function again when its text changed`() async throws {
        _ = try await migrator.apply()
        let session = try Session(conninfo)
        try session.ask("UPDATE sluice.functions SET checksum = 'x' WHERE file ~ 'offset_at'")
        try session.ask("DROP FUNCTION sluice.offset_at")
        let missing = try await migrator.status().filter { $0.applied == nil }
        #expect(missing.map(\.file) == ["functions/offset_at.sql"])
        let error = #expect(throws: PostgresError.self) {
            try Migrator.requireCurrentSchema(on: session.connection)
        }
        #expect(error?.message == "the database lacks functions/offset_at.sql")
        #expect(try await migrator.apply() == ["functions/offset_at.sql"])
        try Migrator.requireCurrentSchema(on: session.connection)
        let made = try session.ask("SELECT to_regproc('sluice.offset_at') IS NOT NULL")
        #expect(made.bool(0, 0))
    }

    @Test func `refuse functions of a newer program`() async throws {
        _ = try await migrator.apply()
        let session = try Session(conninfo)
        try session.ask("UPDATE sluice.functions SET revision = 9999, checksum = 'x'")
        let error = await #expect(throws: BrokerError.self) { try await migrator.apply() }
        #expect(error?.message.contains("9999") == true)
        #expect(error?.remedy == "Start the newer program that migrated it.")
        #expect(throws: PostgresError.self) {
            try Migrator.requireCurrentSchema(on: session.connection)
        }
    }

    @Test func `are exactly the files of the folder`() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../../migrations").standardizedFileURL
        let steps = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            .filter { $0 != "functions" }
        let functions = try FileManager.default.contentsOfDirectory(
            atPath: folder.appendingPathComponent("functions").path)
        #expect((steps + functions.map { "functions/\($0)" }).sorted() == Self.files.sorted())
        let texts =
            Migration.all.map { ($0.file, $0.sql) } + SchemaFunction.all.map { ($0.file, $0.sql) }
        for (file, sql) in texts {
            let text = try String(
                contentsOf: folder.appendingPathComponent(file), encoding: .utf8)
            #expect(text == sql)
        }
    }

    /// Who changed a function raises `SchemaFunction.revision` and writes the new sum here.
    @Test func `tell changed functions by their revision`() async throws {
        let sums = [4: "78a782bbb49012b7a753e36722959de11a40a00fc855073af283bba870c6e49e"]
        _ = try await migrator.apply()
        let sum = try Session(conninfo).ask(
            """
            SELECT encode(sha256(convert_to(string_agg(checksum, '' ORDER BY file), 'UTF8')), 'hex')
            FROM sluice.functions
            """
        ).text(0, 0)
        #expect(sums[SchemaFunction.revision] == sum)
    }
}
