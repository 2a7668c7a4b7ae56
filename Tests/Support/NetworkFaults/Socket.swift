internal import Glibc

/// A socket that closes when it is let go.
final class Socket: Sendable {
    /// TCP or its like; children don't inherit it.
    static let kind = CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)

    let descriptor: CInt

    init(_ descriptor: CInt) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// Connects; `nil` if nobody is there.
    convenience init?(connectedTo upstream: SwitchProxy.Upstream) {
        switch upstream {
        case .port(let port):
            self.init(socket(AF_INET, Socket.kind, 0))
            var address = Self.loopback(port: port)
            let length = socklen_t(MemoryLayout<sockaddr_in>.size)
            guard Self.with(&address, { connect(descriptor, $0, length) }) == 0 else { return nil }
        case .socket(let path):
            self.init(socket(AF_UNIX, Socket.kind, 0))
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
            let length = socklen_t(MemoryLayout<sockaddr_un>.size)
            guard Self.with(&address, { connect(descriptor, $0, length) }) == 0 else { return nil }
        }
    }

    func listenOnLoopback() throws -> Int {
        var address = Self.loopback(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = Self.with(&address) { address in
            bind(descriptor, address, length) == 0 && listen(descriptor, 128) == 0
                && getsockname(descriptor, address, &length) == 0
        }
        guard isListening else { throw ListenFailure(errno: errno) }
        return Int(UInt16(bigEndian: address.sin_port))
    }

    /// Waits for a connection; `nil` once the socket was shut down.
    func accept() -> Socket? {
        while true {
            let client = Glibc.accept(descriptor, nil, nil)
            if client >= 0 {
                _ = fcntl(client, F_SETFD, FD_CLOEXEC)
                return Socket(client)
            }
            guard errno == EINTR || errno == ECONNABORTED else { return nil }
        }
    }

    /// Ends the connection, or the waiting for new ones (accept(2) fails with EINVAL).
    func shutDown() { _ = shutdown(descriptor, CInt(SHUT_RDWR)) }

    func send(_ bytes: ArraySlice<UInt8>) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    private static func loopback(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        address.sin_port = UInt16(port).bigEndian
        return address
    }

    private static func with<Address, Value>(
        _ address: inout Address, _ body: (UnsafeMutablePointer<sockaddr>) -> Value
    ) -> Value {
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1, body)
        }
    }
}

/// No port could be had.
struct ListenFailure: Error {
    let errno: CInt
}
