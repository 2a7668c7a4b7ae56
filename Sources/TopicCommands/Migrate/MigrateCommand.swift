internal import ArgumentParser
internal import BrokerRuntime
internal import DurableLog
internal import EventModel

/// The command `sluice migrate`.
struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Bring the database's schema to this program's.",
        discussion: """
            Examples:
              sluice migrate --database-url 'host=db.example dbname=sluice user=sluice'
              sluice migrate --status

            'sluice serve' does the same at its start, unless it is told --migrate false. Several at \
            once are safe; a database that is newer than the program is refused.
            """)

    @OptionGroup var database: DatabaseOptions

    @Flag(help: "Only tell which migrations are applied.")
    var status = false

    func run() async throws {
        CommandLineProgram.exitOnInterrupt()
        let (conninfo, node) = try database.location()
        let migrator = Migrator(
            .broker(conninfo: conninfo, node: node), logger: DatabaseOptions.logger())
        if status {
            let steps = try await migrator.status()
            for line in Self.table(steps).lines(width: Output.standard.columns) {
                Output.standard.line(line)
            }
            return
        }
        let applied = try await migrator.apply()
        for file in applied { Output.standard.line("applied \(file)") }
        if applied.isEmpty { Output.standard.line("the schema is up to date") }
        guard let missing = try await migrator.ensurePublisher() else { return }
        Output.error.line("note: SQL publishers have no role, and this user may not create it")
        Output.error.line(
            "remedy: Let a superuser run '\(missing)', then run 'sluice migrate' again.")
    }

    static func table(_ steps: [Migrator.Status]) -> Table {
        var table = Table([("MIGRATION", .left), ("APPLIED", .left)])
        for step in steps {
            table.add([step.file, step.applied.map { shortTime($0.description) } ?? "no"])
        }
        return table
    }
}
