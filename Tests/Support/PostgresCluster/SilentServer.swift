internal import Glibc

/// A server that takes connections and never says a word.
package final class SilentServer: Sendable {
    private let descriptor: Int32
    private let port: UInt16

    package init() {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) == 0 && listen(descriptor, 64) == 0
                    && getsockname(descriptor, address, &length) == 0
            }
        }
        self.descriptor = descriptor
        port = UInt16(bigEndian: address.sin_port)
        precondition(isListening, "listen: errno \(errno)")
    }

    deinit { close(descriptor) }

    /// A conninfo that names it as several hosts, each of which may be waited for for a minute.
    package func conninfo(hosts: Int = 1) -> String {
        let names = Array(repeating: "127.0.0.1", count: hosts).joined(separator: ",")
        return "host=\(names) port=\(port) connect_timeout=60"
    }

    /// The same conninfo with this server as the host that is tried first.
    package func before(_ conninfo: String) -> String {
        conninfo.replacing("host='", with: "host='127.0.0.1,", maxReplacements: 1).replacing(
            "port=5432", with: "port=\(port),5432") + " connect_timeout=60"
    }
}
