package import EventModel
import Testing

/// What every event log promises, as checks that run on any: `for check in
/// EventLogContract.checks`.
///
/// Each check uses topics of its own, so they may share a log.
package struct EventLogContract: Sendable, CustomStringConvertible, CustomTestStringConvertible {
    /// What is promised.
    package let promise: String
    package let check: @Sendable (any EventLog, RecordingSink) async throws -> Void

    package var description: String { promise }
    package var testDescription: String { promise }

    init(
        _ promise: String,
        _ check: @escaping @Sendable (any EventLog, RecordingSink) async throws -> Void
    ) {
        self.promise = promise
        self.check = check
    }

    package static let checks =
        appendChecks + followChecks + readChecks + markChecks + topicChecks
        + managementChecks + ephemeralChecks
}

extension Result where Success == [AppendReceipt], Failure == BrokerError {
    /// The spans of the receipts, for comparison: `1-2`, and `=1-2` for a repeat; or the error's
    /// code.
    package var brief: [String] {
        switch self {
        case .success(let receipts):
            receipts.map { "\($0.isRepeat ? "=" : "")\($0.first)-\($0.last)" }
        case .failure(let error): [error.code.rawValue]
        }
    }

    /// The error, if it is one.
    package var error: BrokerError? {
        if case .failure(let error) = self { return error }
        return nil
    }
}

extension Event {
    /// The data as text.
    package var text: String { String(decoding: content.data, as: UTF8.self) }
}
