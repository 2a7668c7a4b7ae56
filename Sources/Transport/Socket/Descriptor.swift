internal import Glibc

/// A connected socket's descriptor, which NIO owns and closes.
///
/// The number may be another connection's as soon as NIO has closed it: whoever holds this must
/// know that the channel is open before each call.
struct Descriptor {
    let number: CInt

    enum Outcome: Equatable {
        case took(Int)
        case failed(CInt)
    }

    /// Sends what the kernel takes now, see send(2); a full socket takes 0 bytes.
    func send(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        while true {
            let count = Glibc.send(number, bytes.baseAddress, bytes.count, CInt(MSG_NOSIGNAL))
            if count >= 0 { return .took(count) }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .took(0)
            default: return .failed(errno)
            }
        }
    }

    /// How far the peer's system has come with what was sent; `nil` if this is no TCP socket.
    ///
    /// See tcp(7), TCP_INFO, and struct tcp_info in linux/tcp.h: the C library's own declaration
    /// ends before these fields, so they are read at their places in the kernel's interface.
    func progress() -> SocketProgress? {
        let acknowledged = 120
        let unsent = 144
        // Unsafe memory: the kernel fills it during the call, as far as `size` says.
        return withUnsafeTemporaryAllocation(byteCount: unsent + 4, alignment: 8) { info in
            var size = socklen_t(info.count)
            guard getsockopt(number, CInt(IPPROTO_TCP), TCP_INFO, info.baseAddress, &size) == 0,
                size == info.count
            else { return nil }
            return SocketProgress(
                acknowledgedBytes: info.load(fromByteOffset: acknowledged, as: UInt64.self),
                unsentBytes: info.load(fromByteOffset: unsent, as: UInt32.self))
        }
    }

    /// Reads what is there; 0 when there is nothing, or the end, or an error: NIO finds those out.
    func receive(into space: UnsafeMutableRawBufferPointer) -> Int {
        let count = recv(number, space.baseAddress, space.count, CInt(MSG_DONTWAIT))
        return max(count, 0)
    }
}

/// What the kernel knows of a connection's output.
package struct SocketProgress: Equatable, Sendable {
    /// Bytes that the peer's system has acknowledged since the connection began.
    package var acknowledgedBytes: UInt64
    /// Bytes that the kernel has and can't send yet, for the peer's window or the network.
    package var unsentBytes: UInt32
}
