internal import Glibc

/// What everybody has used up to one moment, in us of CPU.
struct UsageMark: Equatable, Sendable {
    /// The broker's; `nil`: it is not measured.
    var broker: ProcessUsage?
    /// Processes that belong to it and are reported apart, like PostgreSQL.
    var apart: Int64 = 0
    /// This process's.
    var load: Int64
    /// The whole machine's; `nil` if the kernel does not say.
    var machine: Int64?
    /// In ns of the monotonic clock.
    var time: UInt64

    /// What was used between two moments.
    struct Span: Equatable, Sendable {
        /// In us.
        var broker: Int64?
        var apart: Int64?
        var load: Int64
        /// What others used meanwhile, in cores; above 0.3 figures are doubtful.
        var foreignCores: Double?
        var seconds: Double
    }

    func span(since start: UsageMark) -> Span {
        let seconds = Double(time - start.time) / 1e9
        let broker = self.broker.flatMap { now in
            start.broker.map { now.cpuMicroseconds - $0.cpuMicroseconds }
        }
        let load = load - start.load
        var foreign: Double?
        if let broker, let now = machine, let then = start.machine, seconds > 0 {
            let known = broker + (apart - start.apart) + load
            foreign = max(0, Double(now - then - known) / 1e6 / seconds)
        }
        return Span(
            broker: broker, apart: broker.map { _ in max(0, apart - start.apart) }, load: load,
            foreignCores: foreign, seconds: seconds)
    }
}

/// The processes that are measured.
struct MeasuredProcesses: Sendable {
    /// The broker's first; none: nothing is measured.
    let pids: [Int32]

    func mark() -> UsageMark {
        var usage = UsageMark(
            load: ProcessUsage.clock(of: getpid()) ?? 0, machine: Self.machine(),
            time: Self.now())
        if let broker = pids.first {
            usage.broker = ProcessUsage(pid: broker)
            let tick = 1_000_000 / Int64(sysconf(Int32(_SC_CLK_TCK)))
            let apart = ProcessTable.current().apart(from: broker, others: Array(pids.dropFirst()))
            usage.apart = apart.reduce(0) { sum, process in
                sum + (ProcessUsage.clock(of: process.pid) ?? 0) + process.endedChildren * tick
            }
        }
        return usage
    }

    private static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    private static func machine() -> Int64? {
        fileText("/proc/stat").flatMap {
            machine(stat: $0, ticksPerSecond: Int64(sysconf(Int32(_SC_CLK_TCK))))
        }
    }

    /// What all CPUs were busy with, in us, of `/proc/stat`.
    static func machine(stat: String, ticksPerSecond: Int64) -> Int64? {
        guard let line = stat.split(separator: "\n").first, line.hasPrefix("cpu ") else {
            return nil
        }
        let fields = line.split(separator: " ").dropFirst().compactMap { Int64($0) }
        guard fields.count >= 7 else { return nil }
        // user, nice, system; idle and iowait are none; irq and softirq. Steal is the host's.
        let busy = fields[0] + fields[1] + fields[2] + fields[5] + fields[6]
        return busy * 1_000_000 / ticksPerSecond
    }
}
