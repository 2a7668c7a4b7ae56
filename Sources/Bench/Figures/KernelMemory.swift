/// What sockets cost the kernel, over the whole machine: both ends of loopback connections, and
/// whatever others do meanwhile.
struct KernelMemory: Equatable, Sendable {
    private static let pageBytes: Int64 = 4096

    /// Its objects (`Slab` in proc(5) meminfo): sockets, files, epoll's entries; in bytes.
    var slabBytes: Int64
    /// What waits in TCP's buffers (`mem` in sockstat), in bytes.
    var bufferBytes: Int64

    /// `nil` if the kernel does not say.
    static func current() -> KernelMemory? {
        guard let meminfo = fileText("/proc/meminfo"), let sockstat = fileText("/proc/net/sockstat")
        else { return nil }
        return KernelMemory(meminfo: meminfo, sockstat: sockstat)
    }

    init?(meminfo: String, sockstat: String) {
        guard let slab = meminfo.split(separator: "\n").first(where: { $0.hasPrefix("Slab:") }),
            let kibibytes = slab.split(separator: " ").dropFirst().first.flatMap({ Int64($0) }),
            let tcp = sockstat.split(separator: "\n").first(where: { $0.hasPrefix("TCP:") })
        else { return nil }
        let words = tcp.split(separator: " ")
        guard let name = words.firstIndex(of: "mem"), name + 1 < words.count,
            let pages = Int64(words[name + 1])
        else { return nil }
        slabBytes = kibibytes * 1024
        bufferBytes = pages * Self.pageBytes
    }

    var bytes: Int64 { slabBytes + bufferBytes }
}
