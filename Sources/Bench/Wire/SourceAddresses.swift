internal import Glibc

/// Where many connections to one address come from: as many addresses of 127/8 as their ports need.
struct SourceAddresses: Equatable {
    /// Connections of one source address: not all ports, as others use some and closed ones keep
    /// theirs for a minute.
    let ofEach: Int
    /// The middle of the addresses, 0 to 255; different in each run, for the same reason.
    let block: UInt8

    /// `range` is `net.ipv4.ip_local_port_range`, first and last.
    init(range: ClosedRange<Int>, block: UInt8) {
        ofEach = max(1, range.count * 3 / 4)
        self.block = block
    }

    /// As this system is set.
    static func current(block: UInt8 = .random(in: 1...254)) -> SourceAddresses {
        SourceAddresses(range: localPorts ?? 32_768...60_999, block: block)
    }

    /// Whether so many need more than one address.
    func areNeeded(for count: Int) -> Bool { count > ofEach }

    /// The address of the connection of this number, from 0; `nil` beyond 65,000 addresses.
    func address(of index: Int) -> String? {
        let number = index / ofEach + 1
        guard number < 65_000 else { return nil }
        return "127.\(block).\(number / 250).\(number % 250 + 1)"
    }

    private static var localPorts: ClosedRange<Int>? {
        let words = (fileText("/proc/sys/net/ipv4/ip_local_port_range") ?? "")
            .split(whereSeparator: { " \t\n".contains($0) }).compactMap { Int($0) }
        guard words.count == 2, words[0] < words[1] else { return nil }
        return words[0]...words[1]
    }
}

/// The beginning of a file of the kernel's; `nil` if it can't be read.
func fileText(_ path: String, bytesMax: Int = 16 << 10) -> String? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: bytesMax)
    let count = fread(&bytes, 1, bytes.count, file)
    return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
}
