import EventModel
import Logging
import NIOCore
import NIOPosix
import Testing
import Transport

@testable import HTTPEndpoint

@Suite("Requests on one connection") struct OverSocketsTests {
    /// Sends the text on a connection to a new server and gives all answers, without their dates.
    private func talk(_ fixture: BrokerFixture, _ text: String) async throws -> String {
        let group = MultiThreadedEventLoopGroup.singleton
        let server = TransportServer(
            group: group, listeners: [ListenAddress(isTLS: false, host: "127.0.0.1", port: 0)],
            service: fixture.broker, tls: nil, logger: Logger(label: "test"))
        let bound = try await group.any().flatSubmit {
            group.next().makeSucceededVoidFuture()
        }.get()
        _ = bound
        let port = try await Task.detached { try server.start()[0].port }.value
        let collector = Collector()
        let channel = try await ClientBootstrap(group: group)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(collector)
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        try await channel.writeAndFlush(ByteBuffer(string: text)).get()
        try await channel.closeFuture.get()
        let received = try await channel.eventLoop.submit { collector.text.value }.get()
        try await server.shutdown().get()
        return received.split(separator: "\r\n", omittingEmptySubsequences: false)
            .filter { !$0.lowercased().hasPrefix("date:") }.joined(separator: "\n")
    }
}
