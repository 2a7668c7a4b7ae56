/// The servers that a connection string names (manual 34.1.1.3): parallel lists, of which a single
/// port stands for all.
struct PostgresHosts {
    private var lists: [String: [Substring]] = [:]

    init(_ conninfo: String) {
        let options = PostgresConfiguration.parse(conninfo) ?? [:]
        for keyword in ["host", "hostaddr", "port"] {
            lists[keyword] = options[keyword]?.split(
                separator: ",", omittingEmptySubsequences: false)
        }
    }

    var count: Int { (lists["hostaddr"] ?? lists["host"])?.count ?? 1 }

    /// Keywords and values that ask the host with this number first, and the others behind it.
    func rotated(by number: Int) -> [(String, String)] {
        lists.sorted { $0.key < $1.key }.map { keyword, list in
            let first = number % list.count
            return (keyword, (list[first...] + list[..<first]).joined(separator: ","))
        }
    }

    /// The number of the host that a connection has.
    func number(host: String, port: String) -> Int {
        let ports = lists["port"] ?? []
        return (0..<count).first { number in
            let names = [lists["host"], lists["hostaddr"]].compactMap { $0?[number] }
            let ownPort = ports.count == count ? ports[number] : ports.first
            return names.contains { $0 == host } && (ownPort.map { $0 == port } ?? true)
        } ?? 0
    }
}
