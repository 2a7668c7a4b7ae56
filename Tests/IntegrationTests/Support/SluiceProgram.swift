import Foundation
import Testing

/// The executable `sluice` as a user runs it, finding its broker by the connection file alone.
struct SluiceProgram {
    let connectionFile: String
    let home = TestDirectories.make()

    init(_ broker: TestBroker) { connectionFile = broker.connectionFile }

    init(connectionFile: String) { self.connectionFile = connectionFile }

    struct Outcome {
        let status: Int32
        let output: [UInt8]
        let errors: String
        var lines: [String] { output.lines.map(\.text) }
    }

    /// Runs a command to its end.
    func run(
        _ arguments: String..., input: [UInt8] = [],
        environment: [String: String] = [:]
    ) async throws -> Outcome {
        try await run(arguments, input: input, environment: environment)
    }

    func run(
        _ arguments: [String], input: [UInt8] = [], environment: [String: String] = [:]
    ) async throws -> Outcome {
        let run = try SluiceRun(self, arguments, input: input, environment: environment)
        return try await run.end()
    }

    /// Starts a command that goes on.
    func start(_ arguments: String...) throws -> SluiceRun {
        try SluiceRun(self, arguments, input: [], environment: [:])
    }
}

/// A command that runs.
final class SluiceRun: Sendable {
    private let process: Process
    private let ended: AsyncStream<Int32>
    private let files: String

    init(
        _ program: SluiceProgram, _ arguments: [String], input: [UInt8],
        environment: [String: String], executable: URL = SluiceRun.executable
    ) throws {
        files = "\(program.home)/\(UInt32.random(in: 0 ... .max))"
        process = Process()
        process.executableURL = executable
        process.arguments = arguments
        process.environment = [
            "HOME": program.home, "SLUICE_CONNECTION_FILE": program.connectionFile,
            "PATH": "/usr/bin:/bin",
        ].merging(environment) { $1 }
        process.currentDirectoryURL = URL(filePath: program.home)
        for suffix in ["in", "out", "err"] {
            try writeFile(suffix == "in" ? input : [], to: "\(files).\(suffix)")
        }
        let handles = [
            try FileHandle(forReadingFrom: URL(filePath: files + ".in")),
            try FileHandle(forWritingTo: URL(filePath: files + ".out")),
            try FileHandle(forWritingTo: URL(filePath: files + ".err")),
        ]
        process.standardInput = handles[0]
        process.standardOutput = handles[1]
        process.standardError = handles[2]
        let (ended, end) = AsyncStream.makeStream(of: Int32.self)
        self.ended = ended
        process.terminationHandler = { process in
            end.yield(process.terminationStatus)
            end.finish()
        }
        try process.run()
        // Foundation keeps processes that have ended, and what they hold.
        for handle in handles { try handle.close() }
    }

    deinit {
        if process.isRunning { process.terminate() }
    }

    /// Beside the test bundle, where the build puts both.
    static let executable: URL = {
        let link = "/proc/self/exe"
        let path = (try? FileManager.default.destinationOfSymbolicLink(atPath: link)) ?? ""
        return URL(filePath: path).deletingLastPathComponent().appending(path: "sluice")
    }()

    /// What it has printed until now.
    var output: [UInt8] {
        FileManager.default.contents(atPath: files + ".out").map(Array.init) ?? []
    }

    /// What it has said on standard error until now.
    var errors: String { readFile(files + ".err") ?? "" }

    /// Waits for its end; it gets two minutes.
    func end() async throws -> SluiceProgram.Outcome {
        let process = process
        let watchdog = Task {
            try await Task.sleep(for: .seconds(120))
            process.terminate()
        }
        defer { watchdog.cancel() }
        for await status in ended {
            return .init(status: status, output: output, errors: errors)
        }
        throw TimedOut(what: "the command's end")
    }

    var isRunning: Bool { process.isRunning }

    var pid: Int32 { process.processIdentifier }

    func interrupt() { process.interrupt() }

    /// SIGKILL: as a crash, it leaves no time for anything.
    func crash() { kill(process.processIdentifier, SIGKILL) }
}
