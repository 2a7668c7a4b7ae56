internal import Glibc
internal import PostgresBridge
internal import Synchronization

/// Stands between two parties on TCP or a unix socket, and does what networks do: it passes bytes
/// on, holds them, loses them silently, or ends connections.
///
/// Two threads a connection, which end with it, and one for new connections, which ends when the
/// proxy is let go.
package final class SwitchProxy: Sendable {
    package enum Upstream: Sendable {
        case port(Int)
        case socket(String)
    }

    private struct State {
        var upstream: Upstream?
        var isStalled = false
        /// New connections are taken, and nothing comes of them.
        var isDeaf = false
        var links: [ObjectIdentifier: Link] = [:]
    }

    private let state: Mutex<State>
    private let listener: Socket
    private let makeWatch: (@Sendable () -> (any LinkWatch)?)?
    package let port: Int

    /// Listens on a loopback port that the kernel chooses.
    ///
    /// - Parameters:
    ///   - upstream: Where connections go.
    ///   - watch: Makes what looks at a new connection. The proxy holds what this holds.
    /// - Throws: When no port can be had.
    package init(
        to upstream: Upstream? = nil, watch: (@Sendable () -> (any LinkWatch)?)? = nil
    ) throws {
        makeWatch = watch
        state = Mutex(State(upstream: upstream))
        listener = Socket(socket(AF_INET, Socket.kind, 0))
        port = try listener.listenOnLoopback()
        _ = PostgresThread(name: "proxy-accept") { [listener, weak self] in
            while let client = listener.accept() { self?.take(client) }
        }
    }

    deinit { listener.shutDown() }

    /// Where new connections go; without it they are ended at once.
    package func lead(to upstream: Upstream?) { state.withLock { $0.upstream = upstream } }

    /// Ends every connection.
    package func cut() { for link in links() { link.end() } }

    /// Holds all bytes, or lets them go on.
    package func stall(_ isStalled: Bool) { state.withLock { $0.isStalled = isStalled } }

    /// Loses all that comes over the connections of now whose first bytes hold the text; they look
    /// alive.
    package func swallow(_ text: String = "") {
        for link in links() where text.isEmpty || link.greeting.contains(text) { link.swallow() }
    }

    /// Takes new connections and says nothing on them; when it ends, these are cut.
    package func deafen(_ isDeaf: Bool) {
        state.withLock { $0.isDeaf = isDeaf }
        if !isDeaf { for link in links() where link.isDeaf { link.end() } }
    }

    package var connectionCount: Int { state.withLock { $0.links.count } }

    private func links() -> [Link] { state.withLock { Array($0.links.values) } }

    // MARK: Connections

    private func take(_ client: Socket) {
        let (upstream, isDeaf) = state.withLock { ($0.upstream, $0.isDeaf) }
        let server = isDeaf ? nil : upstream.flatMap { Socket(connectedTo: $0) }
        guard isDeaf || server != nil else { return }
        let link = Link(client, server, makeWatch?())
        state.withLock { $0.links[ObjectIdentifier(link)] = link }
        pump(link, from: client, to: server, isUp: true)
        if let server { pump(link, from: server, to: client, isUp: false) }
    }

    private func pump(_ link: Link, from source: Socket, to target: Socket?, isUp: Bool) {
        _ = PostgresThread(name: isUp ? "proxy-up" : "proxy-down") { [self] in
            var buffer = [UInt8](repeating: 0, count: 64 << 10)
            while true {
                let count = recv(source.descriptor, &buffer, buffer.count, 0)
                guard count > 0 else { break }
                if isUp { link.greet(buffer[..<count]) }
                while state.withLock({ $0.isStalled }), !link.isOver { usleep(10_000) }
                guard let target, !link.isSwallowing else { continue }
                guard let passed = link.look(at: buffer[..<count], isUp: isUp),
                    target.send(passed)
                else { break }
            }
            // What was swallowed looks alive to the other side, too.
            if !link.isSwallowing || isUp { link.end() }
            state.withLock { $0.links[ObjectIdentifier(link)] = nil }
        }
    }
}

/// Looks at the bytes of one connection, and may change what is passed on.
package protocol LinkWatch: Sendable {
    /// What goes on to the server of what its client sent; `nil` ends the connection.
    mutating func up(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8>?
    /// What goes on to the client of what the server sent; `nil` ends the connection.
    mutating func down(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8>?
}

/// One connection through the proxy.
private final class Link: Sendable {
    private struct State {
        var greeting: String?
        var isSwallowing = false
        var isOver = false
    }

    private let state = Mutex(State())
    private let client: Socket
    private let server: Socket?

    private let watch: Mutex<(any LinkWatch)?>

    init(_ client: Socket, _ server: Socket?, _ watch: sending (any LinkWatch)?) {
        self.client = client
        self.server = server
        self.watch = Mutex(watch)
    }

    func look(at bytes: ArraySlice<UInt8>, isUp: Bool) -> ArraySlice<UInt8>? {
        watch.withLock { watch in
            guard watch != nil else { return bytes }
            return isUp ? watch?.up(bytes) : watch?.down(bytes)
        }
    }

    var isDeaf: Bool { server == nil }
    var isSwallowing: Bool { state.withLock { $0.isSwallowing } }
    var isOver: Bool { state.withLock { $0.isOver } }
    /// The first bytes of the side that connected; PostgreSQL's start-up packet names the program.
    var greeting: String { state.withLock { $0.greeting ?? "" } }

    func greet(_ bytes: ArraySlice<UInt8>) {
        state.withLock { state in
            if state.greeting == nil { state.greeting = String(decoding: bytes, as: UTF8.self) }
        }
    }

    func swallow() { state.withLock { $0.isSwallowing = true } }

    func end() {
        state.withLock { $0.isOver = true }
        client.shutDown()
        server?.shutDown()
    }
}
