internal import ArgumentParser
internal import BrokerRuntime
internal import EventModel
internal import SluiceClient

/// What a command's end says to scripts (doc:CommandLine).
package enum CommandStatus: Int32, Sendable {
    case done = 0
    case failed = 1
    case usage = 2
    case unreachable = 3
    case refused = 4
    case interrupted = 130
}

/// A failure that is told on the terminal: what happened and what to do.
struct CommandFailure: Error, Equatable {
    var status: CommandStatus
    var message: String
    var remedy: String

    init(_ status: CommandStatus, _ message: String, remedy: String) {
        self.status = status
        self.message = message
        self.remedy = remedy
    }
}

extension CommandFailure {
    /// Any error of a command, as it is told; `nil` for those that the argument parser words
    /// itself.
    init?(_ error: any Error) {
        switch error {
        case let failure as CommandFailure: self = failure
        case let error as SluiceError: self.init(error)
        case let error as ConfigurationError:
            self.init(.usage, error.message, remedy: error.remedy)
        case let error as BrokerError: self.init(SluiceError(error))
        case is CancellationError:
            self.init(.interrupted, "Interrupted.", remedy: "Run the command again.")
        default:
            guard let failure = StartFailure(error) else { return nil }
            self.init(.failed, failure.message, remedy: failure.remedy)
        }
    }

    private init(_ error: SluiceError) {
        let status: CommandStatus =
            switch error.kind {
            case .unreachable: .unreachable
            case .refused: .refused
            case .invalid: .usage
            case .failed: .failed
            }
        self.init(status, error.message, remedy: error.remedy)
    }
}
