internal import Glibc

/// The processes of this machine, as far as it takes to know which belong to a broker (proc(5)).
struct ProcessTable: Equatable, Sendable {
    struct Entry: Equatable, Sendable {
        var pid: Int32
        var parent: Int32
        var name: String
        /// CPU time of children that have ended, in ticks.
        var endedChildren: Int64

        init(pid: Int32, parent: Int32, name: String, endedChildren: Int64 = 0) {
            self.pid = pid
            self.parent = parent
            self.name = name
            self.endedChildren = endedChildren
        }

        /// Of `/proc/PID/stat`; its name may hold anything.
        init?(stat: String) {
            guard let begin = stat.firstIndex(of: "("), let end = stat.lastIndex(of: ")"),
                let pid = Int32(stat[..<begin].split(separator: " ").first ?? "")
            else { return nil }
            let fields = stat[stat.index(after: end)...].split(separator: " ")
            guard fields.count > 14, let parent = Int32(fields[1]), let user = Int64(fields[13]),
                let system = Int64(fields[14])
            else { return nil }
            self.pid = pid
            self.parent = parent
            name = String(stat[stat.index(after: begin)..<end])
            endedChildren = user + system
        }
    }

    let entries: [Entry]

    init(_ entries: [Entry]) { self.entries = entries }

    /// Those that run now.
    static func current() -> ProcessTable {
        guard let directory = opendir("/proc") else { return ProcessTable([]) }
        defer { closedir(directory) }
        var entries: [Entry] = []
        while let next = readdir(directory) {
            // Safe: the name is a C string inside the entry, which is valid until the next call.
            let name = withUnsafePointer(to: &next.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard let pid = Int32(name), let stat = fileText("/proc/\(pid)/stat"),
                let entry = Entry(stat: stat)
            else { continue }
            entries.append(entry)
        }
        return ProcessTable(entries)
    }

    /// What is reported apart from the broker: the other pids and all below any of them and below
    /// the broker, like its own PostgreSQL.
    func apart(from broker: Int32, others: [Int32]) -> [Entry] {
        let children = Dictionary(grouping: entries, by: \.parent)
        var found = Set(others)
        var open = [broker] + others
        while let pid = open.popLast() {
            for child in children[pid] ?? [] where child.pid != broker {
                if found.insert(child.pid).inserted { open.append(child.pid) }
            }
        }
        return entries.filter { found.contains($0.pid) && $0.pid != broker }
    }
}
