internal import FoundationEssentials
internal import Glibc
internal import NetworkFaults
internal import PostgresBridge
internal import Synchronization

/// One `sluice serve` as a process of its own, kept running unless a fault wants it down, with a
/// proxy before it and one behind it.
///
/// Its thread starts it again whenever it ended, and leads the proxy to its new port.
final class BrokerNode: Sendable {
    private enum Wish {
        case running, down, over
    }

    private struct State {
        var wish = Wish.running
        var process: ServerProcess?
        var isReady = false
        /// A fault has just ended it.
        var isEndExpected = false
    }

    let number: Int
    /// What clients connect to.
    let clients: SwitchProxy
    /// What the broker takes for the database: its hosts.
    let database: [SwitchProxy]
    let directory: String
    private let program: String
    private let arguments: [String]
    private let diary: Diary
    private let state = Mutex(State())
    private let thread = Mutex<PostgresThread?>(nil)

    /// Nothing runs before `start`; the database's hosts are at unix sockets.
    init(
        number: Int, program: String, directory: String, databaseSockets: [String],
        diary: Diary
    ) throws {
        self.number = number
        self.program = program
        self.directory = directory
        self.diary = diary
        clients = try SwitchProxy()
        database = try databaseSockets.map { try SwitchProxy(to: .socket($0)) }
        mkdir(directory, 0o755)
        let hosts = database.map { _ in "127.0.0.1" }.joined(separator: ",")
        let ports = database.map { "\($0.port)" }.joined(separator: ",")
        let url =
            "host=\(hosts) port=\(ports) user=sluice dbname=\(ServerPair.database) "
            + "sslmode=disable gssencmode=disable connect_timeout=5"
        arguments = [
            "serve", "--listen", "https://127.0.0.1:0", "--data-dir", directory,
            "--connection-file", directory + "/connection.json", "--database-url", url,
            "--node", "n\(number + 1)", "--log-level", "notice", "--loops", "2",
            "--limits-heartbeat-interval", "2s", "--limits-retention-interval", "1s",
            "--limits-recent-events-bytes", "1MiB", "--limits-drain-time", "1s",
            // Both ways of TLS 1.3's records are under fire.
            "--tls-own-records", "\(number > 0)",
        ]
    }

    func start() {
        let thread = PostgresThread(name: "broker-\(number + 1)") { [self] in run() }
        self.thread.withLock { $0 = thread }
    }

    var isReady: Bool { state.withLock { $0.isReady } }

    /// What it and its last predecessors said.
    var output: String { directory + "/output" }

    /// SIGKILL; it stays down until `rise`.
    func kill() { end(SIGKILL) }

    /// SIGTERM; it stays down until `rise`.
    func stop() { end(SIGTERM) }

    func rise() { state.withLock { if $0.wish == .down { $0.wish = .running } } }

    func freeze() { signal(SIGSTOP) }

    func thaw() { signal(SIGCONT) }

    private func signal(_ number: CInt) { state.withLock { $0.process }?.signal(number) }

    private func end(_ number: CInt) {
        state.withLock { state in
            state.wish = .down
            state.isEndExpected = true
        }
        signal(number)
    }

    /// Ends it for good; gives it some seconds to drain.
    ///
    /// - Returns: Whether it ended in order.
    func finish() -> Bool {
        state.withLock { state in
            state.wish = .over
            state.isEndExpected = true
        }
        let process = state.withLock { $0.process }
        process?.signal(SIGTERM)
        let isDrained = process?.wait(timeout: .seconds(30)) == .exited
        if !isDrained { process?.signal(SIGKILL) }
        thread.withLock { $0 }?.join()
        return isDrained
    }

    // MARK: Its thread

    private func run() {
        while true {
            let wish = state.withLock { $0.wish }
            switch wish {
            case .over: return
            case .down: usleep(20_000)
            case .running: live()
            }
        }
    }

    /// From its start to its end.
    private func live() {
        truncate(output, 0)
        let process: ServerProcess
        do {
            process = try ServerProcess(
                command: [program] + arguments,
                environment: ["HOME=\(directory)", "PATH=/usr/bin:/bin"], directory: directory,
                output: output)
        } catch {
            diary.violated("the broker \(number + 1) cannot be started: \(error)")
            usleep(1_000_000)
            return
        }
        noteProcess(process.pid)
        let isWanted = state.withLock { state in
            state.process = process
            state.isEndExpected = state.wish != .running
            return state.wish == .running
        }
        if !isWanted { process.signal(SIGKILL) }
        while process.wait(timeout: .milliseconds(50)) != .exited {
            if !isReady, let port = readyPort() {
                clients.lead(to: .port(port))
                state.withLock { $0.isReady = true }
            }
        }
        clients.lead(to: nil)
        let isExpected = state.withLock { state in
            state.process = nil
            state.isReady = false
            return state.isEndExpected
        }
        forgetProcess(process.pid)
        if !isExpected { endedUnasked(process.ending ?? "?") }
    }

    private func endedUnasked(_ ending: String) {
        let said = lastWords()
        // It may refuse to start while the database is away; nothing may crash it.
        if ending.hasPrefix("signal") {
            diary.violated("the broker \(number + 1) crashed (\(ending)): \(said)")
        } else {
            diary.note("broker \(number + 1) ended by itself (\(ending)): \(said)")
        }
        usleep(500_000)
    }

    private func readyPort() -> Int? {
        let text = FileManager.default.contents(atPath: output).map {
            String(decoding: $0, as: UTF8.self)
        }
        guard let text, let place = text.firstRange(of: " is ready at https://127.0.0.1:")
        else { return nil }
        return Int(text[place.upperBound...].prefix { $0.isNumber })
    }

    private func lastWords() -> String {
        let bytes = FileManager.default.contents(atPath: output) ?? Data()
        return String(decoding: bytes.suffix(1500), as: UTF8.self)
    }

    // MARK: For the guard that outlives this process

    private func noteProcess(_ pid: Int32) {
        close(open("\(directory)/pid.\(pid)", O_CREAT | O_WRONLY, 0o600))
    }

    private func forgetProcess(_ pid: Int32) { unlink("\(directory)/pid.\(pid)") }
}
