internal import ArgumentParser
internal import BrokerRuntime
internal import Glibc
internal import Synchronization

/// The command `sluice`.
struct SluiceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sluice",
        abstract: "A live data streaming broker: publish by HTTP, subscribe by wss.",
        discussion: """
            Start with:
              sluice serve                the broker, with a database of its own
              sluice demo                 publishes this machine's load each second
              sluice subscribe 'demo.>'   shows it arriving

            Exit codes: 0 done, 1 failed, 2 wrong usage, 3 can't reach the broker,
            4 refused, 130 interrupted.
            """,
        version: ProgramVersion.current,
        subcommands: [
            ServeCommand.self, PublishCommand.self, SubscribeCommand.self, TopicCommand.self,
            TokenCommand.self, OutboxCommand.self, MigrateCommand.self, DemoCommand.self,
            BenchCommand.self,
        ])
}

/// Runs the command line and says how it ended.
package enum CommandLineProgram {
    /// Runs one command.
    ///
    /// - Parameter arguments: Without the program's name.
    /// - Returns: The exit code of doc:CommandLine.
    package static func run(_ arguments: [String]) async -> Int32 {
        // A pipe whose reader has gone is noticed when writing to it, not by dying.
        signal(SIGPIPE, SIG_IGN)
        do {
            var command = try SluiceCommand.parseAsRoot(arguments)
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            return CommandStatus.done.rawValue
        } catch {
            return tell(error)
        }
    }

    private static func tell(_ error: any Error) -> Int32 {
        if let failure = CommandFailure(error) {
            Output.tell(failure)
            return failure.status.rawValue
        }
        if let exit = error as? ExitCode { return exit.rawValue }
        let text = SluiceCommand.fullMessage(for: error)
        switch SluiceCommand.exitCode(for: error) {
        case .success:
            Output.standard.line(text)
            return CommandStatus.done.rawValue
        case .validationFailure:
            Output.error.line(lowercasedError(text))
            return CommandStatus.usage.rawValue
        default:
            Output.tell(
                CommandFailure(
                    .failed, "\(error)", remedy: "If it stays, report it with the whole message."))
            return CommandStatus.failed.rawValue
        }
    }

    /// The parser begins with `Error:`; every other message of this program with `error:`.
    private static func lowercasedError(_ text: String) -> String {
        text.hasPrefix("Error: ") ? "error: " + text.dropFirst(7) : text
    }

    /// Ends the process with 130 on Ctrl-C: what a client command wrote is out already, and nothing
    /// waits in it.
    static func exitOnInterrupt() {
        signal(SIGINT) { _ in _exit(CommandStatus.interrupted.rawValue) }
    }

    /// Lets the command end by itself on Ctrl-C, to say how far it came; at a second one the
    /// process ends.
    static func endOnInterrupt() {
        // Made before the handler can run.
        interrupts.store(0, ordering: .relaxed)
        signal(SIGINT) { _ in
            let count = interrupts.add(1, ordering: .relaxed).newValue
            if count > 1 { _exit(CommandStatus.interrupted.rawValue) }
        }
    }

    static var isInterrupted: Bool { interrupts.load(ordering: .relaxed) > 0 }
}

/// How often Ctrl-C was pressed.
private let interrupts = Atomic(0)
