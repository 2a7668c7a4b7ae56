import Foundation
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import OpenSSLBridge
import RawClient
import Transport

/// How a test's server is reached.
enum Wire: Sendable, CaseIterable {
    case plain
    case tls12
    case tls13
}

/// Certificates for all tests of this run, made once.
enum TestCertificates {
    static let local: LocalCertificates? = {
        atexit { try? FileManager.default.removeItem(atPath: TestCertificates.directory) }
        return try? LocalCertificates.prepare(in: directory, now: time(nil))
    }()

    private static var directory: String {
        NSTemporaryDirectory() + "sluice-transport-tests-\(getpid())"
    }

    struct Missing: Error {}

    /// With TLS 1.2, records are OpenSSL's in any case, so both kinds are tested.
    private static let ownsRecords =
        ProcessInfo.processInfo.environment["SLUICE_TLS_OWN_RECORDS"] != "false"

    static func server() throws -> TLSContext {
        guard let local else { throw Missing() }
        return try TLSContext(
            .server(certificateChain: local.certificate, privateKey: local.privateKey),
            ownsRecords: ownsRecords)
    }

    static func client(_ versions: TLSVersions) throws -> TLSContext {
        guard let local else { throw Missing() }
        let trust = TLSTrust(authorities: local.authority, includesSystem: false)
        return try TLSContext(.client(trust), versions: versions)
    }
}

/// A service whose behaviour a test gives as closures.
struct TestService: HTTPService {
    var admission: @Sendable (HTTPRequestHead, ConnectionInfo) -> HTTPAdmission = { _, _ in
        .collect(bodyBytesMax: 1 << 20)
    }
    var response: @Sendable (HTTPExchange) -> Void = { exchange in
        exchange.answer(.text("\(exchange.head.method) \(exchange.head.uri)"))
    }

    func admit(_ head: HTTPRequestHead, from connection: ConnectionInfo) -> HTTPAdmission {
        admission(head, connection)
    }

    func respond(to exchange: HTTPExchange) { response(exchange) }

    func refuse(_ fault: HTTPFault, head: HTTPRequestHead?) -> HTTPAnswer {
        HTTPAnswer(status: fault.status, body: ByteBuffer(string: fault.message))
    }
}

extension HTTPAnswer {
    static func text(_ text: String, closes: Bool = false) -> HTTPAnswer {
        HTTPAnswer(
            status: .ok, headers: ["Content-Type": "text/plain"], body: ByteBuffer(string: text),
            closes: closes)
    }
}

/// A running transport server with a plain and a TLS listener on ports of the kernel's choice.
final class TestServer {
    let server: TransportServer
    let plainPort: Int
    let tlsPort: Int
    private let group: MultiThreadedEventLoopGroup

    init(
        _ service: TestService = TestService(), use: Listener.Use? = nil,
        limits: TransportLimits = TransportLimits(), threads: Int = 1
    ) throws {
        group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
        server = TransportServer(
            group: group,
            listeners: [false, true].map {
                Listener(
                    ListenAddress(isTLS: $0, host: "127.0.0.1", port: 0), use ?? .http(service))
            },
            tls: try TestCertificates.server(), limits: limits,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let bound = try server.start()
        (plainPort, tlsPort) = (bound[0].port, bound[1].port)
    }

    deinit {
        try? server.shutdown().wait()
        try? group.syncShutdownGracefully()
    }

    func raw() throws -> RawClient { try RawClient(port: plainPort) }

    func client(_ wire: Wire) throws -> HTTPClientConnection {
        let tls: TLSContext? =
            switch wire {
            case .plain: nil
            case .tls12: try TestCertificates.client(.tls12)
            case .tls13: try TestCertificates.client(.tls13)
            }
        return try ClientConnector.connect(
            host: "127.0.0.1", port: tls == nil ? plainPort : tlsPort, tls: tls,
            group: MultiThreadedEventLoopGroup.singleton
        ).wait()
    }

    /// Sends raw bytes and returns all that comes until the server closes.
    func conversation(_ bytes: String) throws -> String {
        let client = try raw()
        try client.send(bytes)
        return try client.receiveAll()
    }
}

/// Waits until `condition` holds, for at most five seconds.
func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
    let deadline = NIODeadline.now() + .seconds(5)
    while NIODeadline.now() < deadline {
        if try condition() { return true }
        usleep(1000)
    }
    return try condition()
}
