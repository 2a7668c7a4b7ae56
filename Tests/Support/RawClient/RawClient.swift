import Glibc
import Synchronization

/// A plain TCP client that sends exactly the bytes it is given; blocks, for at most five seconds.
package final class RawClient: Sendable {
    private let descriptor: CInt
    private let isClosed = Atomic(false)

    package struct Failure: Error {
        let call: String
        let code: CInt
    }

    package init(port: Int) throws {
        descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        // The kernel keeps little for us, so that a server that does not read is noticed.
        var kept: CInt = 64 << 10
        setsockopt(
            descriptor, SOL_SOCKET, SO_SNDBUF, &kept, socklen_t(MemoryLayout<CInt>.size))
        var patience = timeval(tv_sec: 5, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            let size = socklen_t(MemoryLayout<timeval>.size)
            setsockopt(descriptor, SOL_SOCKET, option, &patience, size)
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Failure(call: "connect", code: errno) }
    }

    deinit { close() }

    package func close() {
        if !isClosed.exchange(true, ordering: .relaxed) { Glibc.close(descriptor) }
    }

    /// Closes so that the server gets a reset.
    package func reset() {
        var now = linger(l_onoff: 1, l_linger: 0)
        let size = socklen_t(MemoryLayout<linger>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, size)
        close()
    }

    package func endOutput() { shutdown(descriptor, CInt(SHUT_WR)) }

    package func send(_ text: String) throws { try send(Array(text.utf8)) }

    package func send(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Failure(call: "send", code: errno) }
            rest = rest.dropFirst(count)
        }
    }

    /// Sends what the connection takes until it has taken nothing for `patience` milliseconds; says
    /// how much that was.
    package func sendUntilBlocked(_ bytes: [UInt8], patience: CInt = 300) throws -> Int {
        var rest = bytes[...]
        while !rest.isEmpty {
            var room = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&room, 1, patience) > 0 else { break }
            let count = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL | MSG_DONTWAIT))
            }
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            guard count > 0 else { throw Failure(call: "send", code: errno) }
            rest = rest.dropFirst(count)
        }
        return bytes.count - rest.count
    }

    /// What has come, at most `count` bytes; empty at the end of the connection.
    package func receive(_ count: Int = 65_536) throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: count)
        var received = recv(descriptor, &buffer, count, 0)
        while received < 0, errno == EINTR { received = recv(descriptor, &buffer, count, 0) }
        guard received >= 0 else { throw Failure(call: "recv", code: errno) }
        return Array(buffer[..<received])
    }

    package func receive(exactly count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            let more = try receive(count - bytes.count)
            guard !more.isEmpty else { break }
            bytes += more
        }
        return bytes
    }

    /// Everything up to the end of the connection.
    package func receiveAll() throws -> String {
        var bytes: [UInt8] = []
        while true {
            let more = try receive()
            guard !more.isEmpty else { return String(decoding: bytes, as: UTF8.self) }
            bytes += more
        }
    }

    /// Everything up to and with `end`.
    package func receive(upTo end: String) throws -> String {
        var text = ""
        while !text.hasSuffix(end) {
            let more = try receive(1)
            guard !more.isEmpty else { return text }
            text += String(decoding: more, as: UTF8.self)
        }
        return text
    }
}
