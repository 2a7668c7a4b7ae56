internal import Glibc

/// What a process has used so far, as the kernel counts it (proc(5)).
package struct ProcessUsage: Equatable, Sendable {
    /// CPU time of all threads, user and system, in ms.
    package var cpuMilliseconds: Int64
    /// Memory in use (VmRSS), in bytes.
    package var residentBytes: Int64

    /// `nil` if there is no such process, or its figures can't be read.
    package init?(pid: Int32) {
        guard let stat = Self.text("/proc/\(pid)/stat"),
            let status = Self.text("/proc/\(pid)/status")
        else { return nil }
        self.init(stat: stat, status: status, ticksPerSecond: Int64(sysconf(Int32(_SC_CLK_TCK))))
    }

    init?(stat: String, status: String, ticksPerSecond: Int64) {
        // The name, in parentheses, may hold anything; utime and stime are the 12th and 13th behind.
        guard let name = stat.lastIndex(of: ")"), ticksPerSecond > 0 else { return nil }
        let fields = stat[stat.index(after: name)...].split(separator: " ")
        guard fields.count > 12, let user = Int64(fields[11]), let system = Int64(fields[12]),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmRSS:") }),
            let kibibytes = line.split(whereSeparator: { " \t".contains($0) }).dropFirst().first,
            let resident = Int64(kibibytes)
        else { return nil }
        cpuMilliseconds = (user + system) * 1000 / ticksPerSecond
        residentBytes = resident * 1024
    }

    private static func text(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 16 << 10)
        let count = fread(&bytes, 1, bytes.count, file)
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }
}
