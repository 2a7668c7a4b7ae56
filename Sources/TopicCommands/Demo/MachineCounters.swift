/// What /proc says about this machine at one moment (proc(5)).
struct MachineCounters: Equatable {
    /// Ticks since boot that all processors were busy, and in all.
    var busyTicks: Int64 = 0
    var allTicks: Int64 = 0
    var processors = 0
    /// Runnable processes, averaged over 1, 5 and 15 minutes, as written.
    var load: [String] = []
    /// Bytes.
    var memoryTotal: Int64 = 0
    var memoryAvailable: Int64 = 0
    var swapTotal: Int64 = 0
    var swapFree: Int64 = 0
    /// Bytes and packets since boot, over all interfaces but loopback.
    var received = Traffic()
    var sent = Traffic()

    struct Traffic: Equatable {
        var bytes: Int64 = 0
        var packets: Int64 = 0
    }

    /// - Parameter read: Gives a file's text; an empty one leaves its figures at 0.
    init(read: (String) -> String) {
        readProcessors(read("/proc/stat"))
        load = read("/proc/loadavg").split(separator: " ").prefix(3).map(String.init)
        readMemory(read("/proc/meminfo"))
        readNetwork(read("/proc/net/dev"))
    }

    private mutating func readProcessors(_ text: String) {
        for line in text.split(separator: "\n") where line.hasPrefix("cpu") {
            let fields = line.split(separator: " ")
            if fields[0] != "cpu" {
                processors += 1
                continue
            }
            // user nice system idle iowait irq softirq steal; guest time is counted in user
            // already.
            let ticks = fields.dropFirst().prefix(8).compactMap { Int64($0) }
            guard ticks.count >= 5 else { continue }
            allTicks = ticks.reduce(0, +)
            busyTicks = allTicks - ticks[3] - ticks[4]
        }
    }

    private mutating func readMemory(_ text: String) {
        for line in text.split(separator: "\n") {
            let fields = line.split { $0 == " " || $0 == ":" }
            guard fields.count >= 2, let kibibytes = Int64(fields[1]) else { continue }
            switch fields[0] {
            case "MemTotal": memoryTotal = kibibytes * 1024
            case "MemAvailable": memoryAvailable = kibibytes * 1024
            case "SwapTotal": swapTotal = kibibytes * 1024
            case "SwapFree": swapFree = kibibytes * 1024
            default: break
            }
        }
    }

    private mutating func readNetwork(_ text: String) {
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, parts[0].drop(while: { $0 == " " }) != "lo" else { continue }
            let fields = parts[1].split(separator: " ").map { Int64($0) ?? 0 }
            guard fields.count >= 10 else { continue }
            received.bytes += fields[0]
            received.packets += fields[1]
            sent.bytes += fields[8]
            sent.packets += fields[9]
        }
    }
}
