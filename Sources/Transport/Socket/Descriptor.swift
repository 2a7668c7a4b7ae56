internal import Glibc

/// A connected socket's descriptor, which NIO owns and closes.
///
/// The number may be another connection's as soon as NIO has closed it: whoever holds this must know
/// that the channel is open before each call.
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

    /// Reads what is there; 0 when there is nothing, or the end, or an error: NIO finds those out.
    func receive(into space: UnsafeMutableRawBufferPointer) -> Int {
        let count = recv(number, space.baseAddress, space.count, CInt(MSG_DONTWAIT))
        return max(count, 0)
    }
}
