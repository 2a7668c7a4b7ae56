import Foundation
import Glibc
import PostgresBridge
import Synchronization

/// Stands between a node and its server as a pooler does, and can do what goes wrong there.
///
/// Threads and sockets end with the test process.
final class TamperingProxy: Sendable {
    private struct State {
        /// SQLSTATE that the append connection is told instead of its next answer.
        var lie: String?
        var isFrozen = false
        /// Of clients and servers.
        var sockets: [Int32] = []

        mutating func takeLie() -> String? {
            defer { lie = nil }
            return lie
        }
    }

    private let state = Mutex(State())
    private let listener: Int32
    private let server: String
    /// The server by way of this proxy.
    let conninfo: String

    /// `conninfo`: Of a server with a unix socket: `host='…' port=… …`.
    init(before conninfo: String) throws {
        var rest: [Substring] = []
        var host = ""
        var port = "5432"
        for word in conninfo.split(separator: " ") {
            let value = word.drop { $0 != "=" }.dropFirst().filter { $0 != "'" }
            if word.hasPrefix("host=") {
                host = value
            } else if word.hasPrefix("port=") {
                port = value
            } else {
                rest.append(word)
            }
        }
        server = "\(host)/.s.PGSQL.\(port)"
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let own = try Self.listen(listener)
        self.conninfo =
            "host=127.0.0.1 port=\(own) sslmode=disable gssencmode=disable "
            + rest.joined(separator: " ")
        _ = PostgresThread(name: "proxy-accept") { [self] in accept() }
    }

    /// The append connection's next answer is swallowed, and an ERROR told instead.
    func lie(_ sqlState: String) { state.withLock { $0.lie = sqlState } }

    /// Cuts every connection; new ones are taken, and nothing comes of them.
    func freeze() {
        let sockets = state.withLock { state in
            state.isFrozen = true
            return state.sockets
        }
        for descriptor in sockets { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }

    // MARK: Connections

    private func accept() {
        while true {
            let client = Glibc.accept(listener, nil, nil)
            guard client >= 0 else { return }
            guard !state.withLock({ $0.isFrozen }) else { continue }
            let upstream = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            guard Self.connect(upstream, server) else { continue }
            state.withLock { $0.sockets += [client, upstream] }
            // Its start-up packet says whose it is.
            let flag = Flag()
            _ = PostgresThread(name: "proxy-up") { [self] in
                pump(from: client, to: upstream) { bytes in
                    if bytes.firstRange(of: Array("node append".utf8)) != nil { flag.set() }
                    return bytes
                }
            }
            _ = PostgresThread(name: "proxy-down") { [self] in
                var filter = AnswerFilter()
                pump(from: upstream, to: client) { [self] bytes in
                    filter.pass(bytes) { flag.isSet ? state.withLock { $0.takeLie() } : nil }
                }
            }
        }
    }

    private func pump(
        from source: Int32, to target: Int32, _ change: ([UInt8]) -> [UInt8]
    ) {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = recv(source, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            let bytes = change(Array(buffer[..<count]))
            guard bytes.isEmpty || send(target, bytes, bytes.count, Int32(MSG_NOSIGNAL)) > 0
            else { break }
        }
        shutdown(source, Int32(SHUT_RDWR))
        shutdown(target, Int32(SHUT_RDWR))
    }

    private final class Flag: Sendable {
        private let value = Mutex(false)
        func set() { value.withLock { $0 = true } }
        var isSet: Bool { value.withLock { $0 } }
    }

    private static func listen(_ descriptor: Int32) throws -> UInt16 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) == 0 && Glibc.listen(descriptor, 64) == 0
                    && getsockname(descriptor, address, &length) == 0
            }
        }
        guard isListening else { throw POSIXError(.EADDRNOTAVAIL) }
        return UInt16(bigEndian: address.sin_port)
    }

    private static func connect(_ descriptor: Int32, _ path: String) -> Bool {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
    }
}

/// Passes a server's messages on (manual 55.7), or an error in the place of an answer.
private struct AnswerFilter {
    private var buffer: [UInt8] = []
    /// What is told when the answer that is being swallowed has ended.
    private var lie: String?

    mutating func pass(_ bytes: [UInt8], _ takeLie: () -> String?) -> [UInt8] {
        buffer += bytes
        var passed: [UInt8] = []
        var start = 0
        while buffer.count - start >= 5 {
            let length = buffer[(start + 1)...(start + 4)].reduce(0) { $0 << 8 | Int($1) }
            guard buffer.count - start >= 1 + length else { break }
            let type = buffer[start]
            // BindComplete begins the answer to a prepared statement, ReadyForQuery ends it.
            if type == UInt8(ascii: "2"), lie == nil { lie = takeLie() }
            if let lie {
                if type == UInt8(ascii: "Z") {
                    passed += Self.error(lie)
                    passed += buffer[start...(start + length)]
                    self.lie = nil
                }
            } else {
                passed += buffer[start...(start + length)]
            }
            start += 1 + length
        }
        buffer.removeFirst(start)
        return passed
    }

    private static func error(_ sqlState: String) -> [UInt8] {
        let fields = "SERROR\0VERROR\0C\(sqlState)\0Mserver closed the connection\0\0"
        let length = UInt32(4 + fields.utf8.count)
        return [UInt8(ascii: "E")] + withUnsafeBytes(of: length.bigEndian) { Array($0) }
            + Array(fields.utf8)
    }
}
