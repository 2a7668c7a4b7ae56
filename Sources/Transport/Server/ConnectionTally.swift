internal import Glibc
internal import NIOCore

/// Where clients come from, as far as limits care: an address of IPv4, or a network of IPv6 of 64
/// bits, which is the least that a site gets (RFC 6177 2).
struct ClientNetwork: Hashable {
    /// The upper half of an IPv6 address, or the mapped IPv4 address (RFC 4291 2.5.5.2).
    private let bits: UInt64

    /// `nil`: it is no address of the Internet protocol.
    init?(_ address: SocketAddress?) {
        guard let text = address?.ipAddress else { return nil }
        var v4 = in_addr()
        var v6 = in6_addr()
        if inet_pton(AF_INET, text, &v4) == 1 {
            bits = Self.mapped(UInt32(bigEndian: v4.s_addr))
        } else if inet_pton(AF_INET6, text, &v6) == 1 {
            let bytes = withUnsafeBytes(of: v6) { Array($0) }
            let upper = bytes.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            let isMapped = upper == 0 && bytes[8..<12].elementsEqual([0, 0, 0xFF, 0xFF])
            bits =
                isMapped ? Self.mapped(bytes[12...].reduce(0) { $0 << 8 | UInt32($1) }) : upper
        } else {
            return nil
        }
    }

    /// No network of IPv6 begins like this: it is of the unspecified one.
    private static func mapped(_ address: UInt32) -> UInt64 { 0xFFFF << 32 | UInt64(address) }
}

/// How many connections there are, in all and of each network, and whether one more may come.
struct ConnectionTally {
    enum Refusal: Hashable {
        /// The server takes in nobody any more.
        case isStopped
        case tooMany
        case tooManyOfNetwork
    }

    private(set) var count = 0
    private var ofNetwork: [ClientNetwork: Int] = [:]
    private var isStopped = false

    mutating func stop() { isStopped = true }

    /// Counts a connection, unless it is one too many.
    mutating func enter(
        _ network: ClientNetwork?, _ limits: TransportLimits
    ) -> Refusal? {
        if isStopped { return .isStopped }
        if count >= limits.connectionsMax { return .tooMany }
        if let network {
            let before = ofNetwork[network, default: 0]
            if before >= limits.connectionsPerAddressMax { return .tooManyOfNetwork }
            ofNetwork[network] = before + 1
        }
        count += 1
        return nil
    }

    mutating func leave(_ network: ClientNetwork?) {
        count -= 1
        guard let network, let before = ofNetwork[network] else { return }
        ofNetwork[network] = before > 1 ? before - 1 : nil
    }
}

/// When refused connections are told to the operator: the first at once, then all of some seconds
/// together.
struct RefusalNotes {
    private var untold = 0
    private var nextAt: NIODeadline?

    static let interval = TimeAmount.seconds(10)

    /// One more was refused; how many that makes, if it is to be told now.
    mutating func refused(now: NIODeadline) -> Int? {
        untold += 1
        if let nextAt, now < nextAt { return nil }
        nextAt = now + Self.interval
        defer { untold = 0 }
        return untold
    }
}
