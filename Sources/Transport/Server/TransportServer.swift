package import Logging
package import NIOCore
internal import NIOHTTP1
internal import NIOPosix
package import OpenSSLBridge
internal import Synchronization

/// Listeners and their connections, on all event loops of a group.
///
/// `start`, then `stopAccepting` and `drain` or `shutdown`, which must be over before the group is
/// shut down. Streams are closed by who opened them; `drain` waits for that.
package final class TransportServer: Sendable {
    private let group: any EventLoopGroup
    private let places: [Listener]
    /// What the next connection gets.
    private let tls: Mutex<TLSContext?>
    private let limits: TransportLimits
    private let logger: Logger
    private let loops: [NIOLoopBoundBox<SocketLoop>]
    private let listeners = Mutex<[any Channel]>([])
    private let count: ConnectionCount
    private let bodies: BodyBudget
    /// Connections that are accepted in one turn of the loop.
    private static let acceptsInTurn: UInt = 16

    /// Makes a server that does not listen yet; `tls` is needed if any listener is `https`.
    package init(
        group: any EventLoopGroup, listeners: [Listener], tls: TLSContext?,
        limits: TransportLimits = TransportLimits(), logger: Logger
    ) {
        self.group = group
        places = listeners
        self.tls = Mutex(tls)
        self.limits = limits
        bodies = BodyBudget(bytesMax: limits.bodiesBytesMax)
        self.logger = logger
        count = ConnectionCount(limits, logger: logger)
        var loops: [NIOLoopBoundBox<SocketLoop>] = []
        for eventLoop in group.makeIterator() {
            loops.append(
                NIOLoopBoundBox.makeBoxSendingValue(
                    SocketLoop(eventLoop, limits: limits, scratchMax: 2), eventLoop: eventLoop))
        }
        self.loops = loops
    }

    /// How many connections are open, upgraded ones included.
    package var connectionCount: Int { count.value }

    /// Who connects from now on gets this context; who is connected keeps his.
    package func renew(_ context: TLSContext) { tls.withLock { $0 = context } }

    /// Listens on all addresses, or on none if one fails.
    ///
    /// Blocks for a moment; not to be called on an event loop.
    ///
    /// - Returns: The addresses in the given order, with the ports that the kernel chose.
    /// - Throws: `TransportError`, which names the address.
    package func start() throws -> [BoundAddress] {
        var bound: [BoundAddress] = []
        do {
            for place in places { bound.append(try listen(place)) }
        } catch {
            stopAccepting()
            throw error
        }
        return bound
    }

    private func listen(_ place: Listener) throws -> BoundAddress {
        let address = place.address
        if address.isTLS, tls.withLock({ $0 == nil }) {
            throw TransportError("\(address) needs a certificate and a key.")
        }
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: Int32(clamping: limits.listenBacklog))
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { [logger] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptPause(logger: logger))
                }
            }
            .serverChannelOption(.maxMessagesPerRead, value: Self.acceptsInTurn)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(
                .recvAllocator,
                value: FixedSizeRecvByteBufferAllocator(capacity: SocketHandler.readBytes)
            )
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try self.welcome(channel, at: place)
                }
            }
        let channel: any Channel
        do {
            channel = try bootstrap.bind(host: address.host, port: address.port).wait()
        } catch {
            throw TransportError("\(address) cannot be listened on: \(error)")
        }
        listeners.withLock { $0.append(channel) }
        let port = channel.localAddress?.port ?? address.port
        return ListenAddress(isTLS: address.isTLS, host: address.host, port: port)
    }

    /// Sets up an accepted connection; called on its event loop.
    private func welcome(_ channel: any Channel, at place: Listener) throws {
        let here = loops.firstIndex { $0.eventLoop === channel.eventLoop }
        guard let here else { preconditionFailure("bug: a connection of another group") }
        let network = ClientNetwork(channel.remoteAddress)
        guard count.enter(network) else { throw TransportError("There are too many connections.") }
        channel.closeFuture.whenComplete { [count] _ in count.leave(network) }
        let info = ConnectionInfo(
            remoteAddress: Self.text(of: channel.remoteAddress), isTLS: place.address.isTLS,
            eventLoop: channel.eventLoop, loopIndex: here)
        let socket = try SocketHandler(
            loops[here].value, tls: place.address.isTLS ? tls.withLock { $0 } : nil)
        let pipeline = channel.pipeline.syncOperations
        switch place.use {
        case .http(let service):
            let handler = HTTPServerHandler(socket, service: service, info: info, bodies: bodies)
            socket.owner = handler
            try pipeline.addHandler(socket)
            try pipeline.addHandler(handler)
        case .raw(let open):
            StreamConnection(socket, info: info).begin(whenOpen: open)
            try pipeline.addHandler(socket)
        }
    }

    private static func text(of address: SocketAddress?) -> String {
        guard let host = address?.ipAddress, let port = address?.port else { return "" }
        return host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// Closes the listeners; connections go on.
    @discardableResult
    package func stopAccepting() -> EventLoopFuture<Void> {
        count.stop()
        let closing = listeners.withLock { listeners in
            defer { listeners = [] }
            return listeners
        }
        let closed = closing.map { channel in channel.close().recover { _ in } }
        return EventLoopFuture.andAllComplete(closed, on: group.next())
    }

    /// Closes HTTP connections that wait for a request, and has the others close behind their
    /// answers.
    package func closeIdle() {
        onEachLoop { socket in (socket.owner as? HTTPServerHandler)?.finish() }
    }

    /// Stops accepting, closes what is idle, and waits until no connection is left; aborts what is
    /// left at the deadline.
    package func drain(deadline: NIODeadline) -> EventLoopFuture<Void> {
        let over = whenOver(stopAccepting())
        closeIdle()
        let timer = over.eventLoop.scheduleTask(deadline: deadline) { self.abortAll() }
        over.whenComplete { _ in timer.cancel() }
        return over
    }

    /// Stops accepting and aborts all connections.
    package func shutdown() -> EventLoopFuture<Void> {
        let over = whenOver(stopAccepting())
        abortAll()
        return over
    }

    private func whenOver(_ stopped: EventLoopFuture<Void>) -> EventLoopFuture<Void> {
        let none = count.whenNone(on: stopped.eventLoop)
        return stopped.flatMap { none }
    }

    private func abortAll() { onEachLoop { $0.abort() } }

    private func onEachLoop(_ body: @escaping @Sendable (SocketHandler) -> Void) {
        for loop in loops {
            loop.eventLoop.execute {
                // Whoever leaves meanwhile changes the list.
                for socket in Array(loop.value.sockets) { body(socket) }
            }
        }
    }
}

/// Where a server listens, and what is spoken there.
package struct Listener: Sendable {
    package enum Use: Sendable {
        case http(any HTTPService)
        /// Another protocol: called on the connection's event loop when bytes can be sent.
        case raw(@Sendable (StreamConnection) -> any StreamHandler)
    }

    package let address: ListenAddress
    package let use: Use

    package init(_ address: ListenAddress, _ use: Use) {
        self.address = address
        self.use = use
    }
}

/// Why a server cannot start, or takes no connection.
package struct TransportError: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}
