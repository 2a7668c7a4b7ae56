internal import FoundationEssentials
internal import Glibc

/// What this process takes of the machine.
struct Effort {
    private let began = ContinuousClock.now
    private var lastTime = ContinuousClock.now
    private var lastUsed = Effort.used
    private var smoothed = 0.0

    /// How much of one core it took lately: 1 is all of it.
    mutating func share() -> Double {
        let (now, used) = (ContinuousClock.now, Self.used)
        let share = (used - lastUsed) / max(now - lastTime, .milliseconds(1))
        (lastTime, lastUsed) = (now, used)
        smoothed += (share - smoothed) / 4
        return smoothed
    }

    /// What it takes, as words.
    func words(bytesOnDisk: Int) -> String {
        let average = Int(100 * (Self.used / max(ContinuousClock.now - began, .milliseconds(1))))
        return "CPU of publishers and checks \(average) % of a core, memory "
            + "\(Self.residentBytes >> 20) MiB, disks \(bytesOnDisk >> 20) MiB"
    }

    private static var used: Duration {
        var usage = rusage()
        getrusage(RUSAGE_SELF.rawValue, &usage)
        let seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec
        return .seconds(seconds) + .microseconds(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)
    }

    private static var residentBytes: Int {
        let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return pages * sysconf(Int32(_SC_PAGESIZE))
    }
}
