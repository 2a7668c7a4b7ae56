package import NIOCore

/// The limits of one transport server or client connection; the transport owns all of them.
///
/// Those that an operator could want are keys of the configuration. The others bound what one
/// connection costs for a turn or at its end, where no client of the protocol comes near them.
package struct TransportLimits: Sendable {
    /// Connections at once on all listeners; what comes above is accepted and closed at once.
    package var connectionsMax = 100_000
    /// The same of one address, of IPv6 one network of 64 bits: one client must not take all.
    package var connectionsPerAddressMax = 50_000
    /// Bytes of one request's line and headers, and of what may wait for the rest of them; over it
    /// 431.
    package var headerBytesMax = 16 * 1024
    /// Number of one request's header fields; over it 431.
    package var headerCountMax = 128
    /// Bytes of a request target; over it 414.
    package var uriBytesMax = 8 * 1024
    /// Requests of one connection that wait for their answers; more are not begun.
    package var pipelinedRequestsMax = 64
    /// Bytes of answers that wait on one connection; while there are more, no request is begun.
    package var answerBytesMax = 1 << 20
    /// Bytes of all request bodies that are held on all connections; over it 429.
    package var bodiesBytesMax = 256 << 20
    /// Bytes of an unwanted request body that are read and forgotten to keep a connection alive.
    package var drainBytesMax = 64 * 1024
    /// Bytes that are read and forgotten after the last answer, so that it is not lost to a reset.
    package var lingerBytesMax = 32 << 20
    /// Bytes that may be sent on a blocked upgraded connection (control frames); over it: abort.
    package var blockedBytesMax = 64 * 1024
    /// Bytes of input that wait while a connection is not being read.
    package var heldBytesMax = 8 << 20
    /// From accept to the end of the TLS handshake.
    package var handshakeTimeout = TimeAmount.seconds(10)
    /// From the first byte of a request (or the handshake) to the end of its headers.
    package var headTimeout = TimeAmount.seconds(10)
    /// Between two pieces of a request body.
    package var bodyIdleTimeout = TimeAmount.seconds(20)
    /// From the end of the headers to the end of the body.
    package var bodyTimeout = TimeAmount.minutes(5)
    /// Between an answer and the next request.
    package var keepAliveTimeout = TimeAmount.seconds(75)
    /// How long a client may take nothing of its answers.
    package var answerStallTimeout = TimeAmount.seconds(60)
    /// From `close` to what was pending having been flushed.
    package var closeTimeout = TimeAmount.seconds(10)
    /// From our end of the connection to the peer's.
    package var lingerTimeout = TimeAmount.seconds(5)
    /// How exactly the timeouts are kept: one look at an event loop's connections in this time.
    package var tick = TimeAmount.milliseconds(500)
    /// How long what newcomers sent is taken before a loop's other work has its turn.
    package var newcomerTurn = TimeAmount.milliseconds(2)
    /// The listening sockets' backlog; the kernel's `somaxconn` caps it.
    package var listenBacklog = 4096

    package init() {}
}
