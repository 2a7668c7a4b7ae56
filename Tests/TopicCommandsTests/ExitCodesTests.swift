import BrokerRuntime
import EventModel
import SluiceClient
import Testing

@testable import TopicCommands

@Suite("The exit code of a command that failed") struct ExitCodesTests {
    @Test(arguments: [
        (ErrorCode.forbidden, CommandStatus.refused), (.topicExists, .refused),
        (.topicNotFound, .refused), (.unauthorized, .refused), (.headMoved, .refused),
        (.idempotencyConflict, .refused), (.invalidTopic, .usage), (.invalidStart, .usage),
        (.databaseUnavailable, .failed), (.outcomeUnknown, .failed), (.eventTooLarge, .failed),
    ]) func `follows the broker's code`(code: ErrorCode, status: CommandStatus) {
        #expect(CommandFailure(BrokerError(code, "m"))?.status == status)
    }

    @Test func `is 3 when the broker can't be reached`() {
        let error = SluiceError(.unreachable, code: "unreachable", "m", remedy: "r")
        #expect(CommandFailure(error) == CommandFailure(.unreachable, "m", remedy: "r"))
    }

    @Test func `is 2 for a configuration that can't be used`() {
        let error = ConfigurationError("m", remedy: "r")
        #expect(CommandFailure(error) == CommandFailure(.usage, "m", remedy: "r"))
    }

    @Test func `is 130 when it was interrupted`() {
        #expect(CommandFailure(CancellationError())?.status == .interrupted)
    }

    private static let commandLines: [(arguments: [String], code: Int32)] = [
        (["--help"], 0), (["--version"], 0), (["publish", "--help"], 0), (["frobnicate"], 2),
        (["publish"], 2), (["subscribe"], 2), (["publish", "a", "1", "--nope"], 2),
        (["subscribe", "demo."], 2), (["topic", "create", "demo."], 2),
        (["serve", "--lisen", "x"], 2), (["demo", "--count", "0"], 2),
        (["publish", "a", "1", "--url", "nowhere"], 2),
    ]

    @Test(arguments: commandLines)
    func `is what scripts expect of the whole program`(
        arguments: [String], code: Int32
    ) async {
        #expect(await CommandLineProgram.run(arguments) == code)
    }
}

@Suite("A pattern that the shell has bitten into") struct PatternTests {
    @Test func `is answered with 'quote the pattern'`() {
        let error = #expect(throws: CommandFailure.self) { try checkedPatterns(["a", "demo."]) }
        #expect(error?.status == .usage)
        #expect(error?.remedy == "Quote the pattern: 'demo.>'.")
    }

    @Test func `that is whole is taken`() throws {
        #expect(try checkedPatterns(["a.*", "demo.>", "x"]) == ["a.*", "demo.>", "x"])
    }
}

@Suite("A duration of the command line") struct CheckedDurationTests {
    @Test func `is at most a hundred years`() throws {
        #expect(try checkedDuration("36500d", option: "--ttl") == Limits.durationMax)
        for text in ["36501d", "1000000000d", "0s", "7 days"] {
            let error = #expect(throws: CommandFailure.self) {
                try checkedDuration(text, option: "--ttl")
            }
            #expect(error?.status == .usage)
            #expect(error?.remedy == "Write it like 30s, 15m or 7d, at most 36500d.")
        }
    }
}
