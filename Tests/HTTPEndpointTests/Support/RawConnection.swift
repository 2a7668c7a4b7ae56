import Logging
import NIOCore
import NIOPosix
import Synchronization
import Transport

@testable import HTTPEndpoint

/// Sends the text to a new server and gives all that comes until the connection ends, without
/// dates.
func talk(
    _ broker: HTTPBroker, _ text: String, limits: TransportLimits = TransportLimits()
) async throws -> String {
    let group = MultiThreadedEventLoopGroup.singleton
    let server = TransportServer(
        group: group,
        listeners: [
            Listener(ListenAddress(isTLS: false, host: "127.0.0.1", port: 0), .http(broker))
        ],
        tls: nil, limits: limits,
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    let port = try server.start()[0].port
    let received = Received()
    let channel = try await ClientBootstrap(group: group)
        .channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(received)
            }
        }
        .connect(host: "127.0.0.1", port: port).get()
    try await channel.writeAndFlush(ByteBuffer(string: text)).get()
    try await channel.closeFuture.get()
    try await server.shutdown().get()
    return received.text.split(separator: "\r\n", omittingEmptySubsequences: false)
        .filter { !$0.lowercased().hasPrefix("date:") }.joined(separator: "\n")
}

func post(_ body: String, _ headers: String = "") -> String {
    "POST /v1/topics/a/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        + "Content-Length: \(body.utf8.count)\r\n\(headers)\r\n\(body)"
}

/// Everything that came on a connection.
private final class Received: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    private let buffer = Mutex(ByteBuffer())

    var text: String { buffer.withLock { String(buffer: $0) } }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var part = unwrapInboundIn(data)
        _ = buffer.withLock { $0.writeBuffer(&part) }
    }
}
