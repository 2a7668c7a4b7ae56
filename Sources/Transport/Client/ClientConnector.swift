package import NIOCore
internal import NIOHTTP1
internal import NIOPosix
package import OpenSSLBridge

/// Connects to a server as a client.
package enum ClientConnector {
    /// Connects, with TLS if a client context is given, and completes the handshake.
    ///
    /// All addresses of `host` are tried (RFC 8305). The certificate must name `host`.
    ///
    /// - Returns: Fails with `TLSError` when the certificate or the handshake is refused, otherwise
    ///   with the connection's error, which is worth a retry.
    package static func connect(
        host: String, port: Int, tls: TLSContext?, group: any EventLoopGroup,
        limits: TransportLimits = TransportLimits(), timeout: TimeAmount = .seconds(10)
    ) -> EventLoopFuture<HTTPClientConnection> {
        var limits = limits
        limits.handshakeTimeout = min(limits.handshakeTimeout, timeout)
        let authority = authority(host: host, port: port, isTLS: tls != nil)
        let bootstrap = ClientBootstrap(group: group)
            .connectTimeout(timeout)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(
                .recvAllocator,
                value: FixedSizeRecvByteBufferAllocator(capacity: SocketHandler.readBytes)
            )
            .channelInitializer { [limits] channel in
                channel.eventLoop.makeCompletedFuture {
                    let loop = SocketLoop(channel.eventLoop, limits: limits, scratchMax: 0)
                    let socket = try SocketHandler(loop, tls: tls, hostName: host)
                    let info = ConnectionInfo(
                        remoteAddress: authority, isTLS: tls != nil, eventLoop: channel.eventLoop,
                        loopIndex: 0)
                    let handler = HTTPClientHandler(socket, info: info)
                    socket.owner = handler
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(socket)
                    try pipeline.addHandler(handler.encoder)
                    try pipeline.addHandler(handler.decoder)
                    try pipeline.addHandler(handler)
                }
            }
        return bootstrap.connect(host: host, port: port).flatMap { channel in
            channel.pipeline.handler(type: HTTPClientHandler.self).assumeIsolated()
                .flatMap { handler in
                    handler.ready.futureResult.assumeIsolated().map {
                        HTTPClientConnection(handler, closed: channel.closeFuture)
                    }.nonisolated()
                }.nonisolated()
        }
    }

    private static func authority(host: String, port: Int, isTLS: Bool) -> String {
        let name = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
        return port == (isTLS ? 443 : 80) ? name : "\(name):\(port)"
    }
}
