internal import Glibc

/// What a process has used so far, as the kernel counts it (proc(5)).
package struct ProcessUsage: Equatable, Sendable {
    /// CPU time of all threads, user and system, in us.
    package var cpuMicroseconds: Int64
    /// Memory in use (VmRSS), in bytes.
    package var residentBytes: Int64

    /// The same in ms.
    package var cpuMilliseconds: Int64 { cpuMicroseconds / 1000 }

    /// `nil` if there is no such process, or its figures can't be read.
    package init?(pid: Int32) {
        guard let stat = fileText("/proc/\(pid)/stat"),
            let status = fileText("/proc/\(pid)/status")
        else { return nil }
        self.init(stat: stat, status: status, ticksPerSecond: Int64(sysconf(Int32(_SC_CLK_TCK))))
        // The process's clock knows what ticks of 10 ms do not.
        if let exact = Self.clock(of: pid) { cpuMicroseconds = exact }
    }

    init?(stat: String, status: String, ticksPerSecond: Int64) {
        // The name, in parentheses, may hold anything; utime and stime are the 12th and 13th
        // behind.
        guard let name = stat.lastIndex(of: ")"), ticksPerSecond > 0 else { return nil }
        let fields = stat[stat.index(after: name)...].split(separator: " ")
        guard fields.count > 12, let user = Int64(fields[11]), let system = Int64(fields[12]),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmRSS:") }),
            let kibibytes = line.split(whereSeparator: { " \t".contains($0) }).dropFirst().first,
            let resident = Int64(kibibytes)
        else { return nil }
        cpuMicroseconds = (user + system) * 1_000_000 / ticksPerSecond
        residentBytes = resident * 1024
    }

    /// CPU time in us (clock_getcpuclockid(3)).
    static func clock(of pid: Int32) -> Int64? {
        var clock = clockid_t()
        var time = timespec()
        guard clock_getcpuclockid(pid, &clock) == 0, clock_gettime(clock, &time) == 0 else {
            return nil
        }
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }
}
