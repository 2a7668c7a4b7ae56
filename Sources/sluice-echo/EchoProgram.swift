import ArgumentParser
import Glibc
import Logging
import NIOCore
import NIOPosix
import OpenSSLBridge
import Transport

/// A WebSocket server on the broker's listener, TLS and codec, for public conformance suites.
@main struct EchoProgram: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sluice-echo",
        abstract: "Sends every WebSocket message back, for suites that test RFC 6455 and 7692.",
        discussion: """
            Messages of up to 16 MiB, with permessage-deflate and all of its parameters, on any \
            path of 127.0.0.1. It runs until a signal ends it.
            """)

    @Option(help: "The port; with 0 the system chooses one, which is told.")
    var port: UInt16 = 9001

    @Flag(help: "ws:// instead of wss://.")
    var plain = false

    @Option(help: "Where the certificate of wss:// and its authority are, made if missing.")
    var certificates = "sluice-echo-certificates"

    func run() throws {
        let address = ListenAddress(isTLS: !plain, host: "127.0.0.1", port: Int(port))
        let server = TransportServer(
            group: MultiThreadedEventLoopGroup(numberOfThreads: System.coreCount),
            listeners: [Listener(address, .http(EchoService()))], tls: plain ? nil : try makeTLS(),
            logger: Logger(label: "sluice-echo"))
        for bound in try server.start() {
            print("listening on \(plain ? "ws" : "wss")://\(bound.host):\(bound.port)")
        }
        fflush(nil)
        while true { pause() }
    }

    private func makeTLS() throws -> TLSContext {
        let files = try LocalCertificates.prepare(in: certificates, now: time(nil))
        print("clients trust \(files.authority)")
        return try TLSContext(
            .server(certificateChain: files.certificate, privateKey: files.privateKey),
            ownsRecords: true)
    }
}
