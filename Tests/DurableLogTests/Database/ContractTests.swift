import EventLogContract
import MemoryLog
import Testing

@Suite("Every event log") struct ContractTests {
    @Test(arguments: EventLogContract.checks)
    func `in memory`(_ promise: EventLogContract) async throws {
        let log = MemoryLog()
        let sink = RecordingSink()
        log.start(sink: sink)
        try await promise.check(log, sink)
    }

    private static let shared = Task { try await LogNode.withFreshDatabase() }

    @Test(arguments: EventLogContract.checks)
    func `on PostgreSQL`(_ promise: EventLogContract) async throws {
        let node = try await Self.shared.value
        try await promise.check(node.log, node.sink)
    }
}
