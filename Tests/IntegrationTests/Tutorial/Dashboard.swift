// The code of the tutorial, block by block: SluiceClient.docc/LiveDashboard.md.

import FoundationEssentials
import SluiceClient

func connect(to url: String, tokenFile: String, caFile: String) throws -> BrokerClient {
    try BrokerClient(
        ClientConfiguration(
            address: BrokerAddress(url), tokenSource: .file(tokenFile), caFile: caFile))
}

/// What a machine says about itself.
struct Reading: Codable, Sendable {
    var machine: String
    var celsius: Double
}

func report(_ reading: Reading, through client: BrokerClient) async throws {
    try await client.publish(
        reading, to: "readings.\(reading.machine)", key: reading.machine,
        retryingFor: .seconds(60))
}

/// What the dashboard shows.
actor Board {
    private(set) var celsius: [String: Double] = [:]
    private(set) var isLive = false
    private(set) var missed: Int64 = 0
    private(set) var unreadable = 0

    func show(_ reading: Reading) { celsius[reading.machine] = reading.celsius }
    func setLive(_ isLive: Bool) { self.isLive = isLive }
    func miss(_ events: Int64) { missed += events }
    func skip() { unreadable += 1 }
}

func showReadings(from client: BrokerClient, on board: Board) async throws {
    let readings = try client.subscribe(
        to: "readings.*", as: Reading.self, from: "last:1",
        options: SubscribeOptions(maxRate: 10))
    for try await item in readings {
        switch item {
        case .event(let event):
            do { await board.show(try event.value) } catch { await board.skip() }
        case .notice(.live, _): await board.setLive(true)
        case .notice(.disconnected, _): await board.setLive(false)
        case .notice(.gap(_, let from, let to, _), _): await board.miss(to - from + 1)
        case .notice: break
        }
    }
}

struct Alarm: Codable, Equatable, Sendable {
    var machine: String
    var text: String
}

/// All alarms, and how far they were read.
struct AlarmBook: Codable {
    var alarms: [Alarm] = []
    var position = SubscriptionPosition()

    init(path: String) throws {
        guard let data = FileManager.default.contents(atPath: path) else { return }
        self = try JSONDecoder().decode(AlarmBook.self, from: data)
    }

    func save(path: String) throws {
        try JSONEncoder().encode(self).write(to: URL(filePath: path), options: .atomic)
    }
}

func recordAlarms(from client: BrokerClient, in path: String) async throws {
    var book = try AlarmBook(path: path)
    let alarms = try client.subscribe(
        to: "alarms.>", as: Alarm.self, from: "earliest", resuming: book.position)
    for try await item in alarms {
        if let alarm = try item.event?.value { book.alarms.append(alarm) }
        book.position.received(item)
        try book.save(path: path)
    }
}

func runDashboard(with client: BrokerClient, board: Board, alarms path: String) async throws {
    try await withThrowingTaskGroup { group in
        group.addTask { try await showReadings(from: client, on: board) }
        group.addTask { try await recordAlarms(from: client, in: path) }
        try await group.waitForAll()
    }
}
