import Glibc
import NIOCore
import NIOPosix
import SluiceClient
import Synchronization
import Testing
import WebSocketCodec

/// A broker on loopback that says what its script says, byte for byte.
final class ScriptedBroker: Sendable {
    /// What a client said on a connection; the first one is 1.
    enum Input: Equatable, Sendable {
        /// A request, by its line.
        case request(String, connection: Int)
        /// A WebSocket is open.
        case opened(connection: Int)
        /// A message on it.
        case message(String, connection: Int)
    }

    /// How a WebSocket ended, as the broker saw it.
    enum End: Equatable, Sendable {
        /// The client's close frame.
        case closeFrame(code: UInt16?, connection: Int)
        /// The connection is over.
        case connection(Int)
    }

    /// What the broker says to it.
    enum Output: Sendable {
        /// An answer to a request.
        case answer(status: String, json: String)
        /// Messages on a WebSocket, in one write.
        case messages([String])
        case silence
    }

    private struct Ledger {
        var connections: [any Channel] = []
        var inputs: [Input] = []
        var ends: [End] = []
        var tokens: [String?] = []
    }

    private let ledger: Mutex<Ledger>
    private let script: @Sendable (Input) -> Output
    private let admits: @Sendable (String?) -> Bool
    private let listener = Mutex<(any Channel)?>(nil)

    private init(
        _ script: @escaping @Sendable (Input) -> Output,
        admits: @escaping @Sendable (String?) -> Bool
    ) {
        ledger = Mutex(Ledger())
        self.script = script
        self.admits = admits
    }

    deinit { listener.withLock { $0 }?.close(promise: nil) }

    /// Listens on a port of the kernel's choice; requests with other tokens than it admits are
    /// answered 401.
    static func start(
        admits: @escaping @Sendable (String?) -> Bool = { _ in true },
        _ script: @escaping @Sendable (Input) -> Output
    ) async throws -> ScriptedBroker {
        let broker = ScriptedBroker(script, admits: admits)
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            // Little lies between the two, and it is read slowly: clients get blocked soon.
            .serverChannelOption(.tcpOption(.init(rawValue: TCP_MAXSEG)), value: 536)
            .childChannelOption(.socketOption(.so_rcvbuf), value: 16_384)
            .childChannelOption(
                .recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 64)
            )
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelInitializer { [weak broker] channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let broker else { throw ChannelError.alreadyClosed }
                    let number = broker.accepted(channel)
                    let connection = ScriptedConnection(
                        number, script: { [weak broker] in broker?.said($0) ?? .silence },
                        admits: { [weak broker] in broker?.admitted($0) ?? false },
                        ended: { [weak broker] in broker?.ended($0) })
                    try channel.pipeline.syncOperations.addHandler(connection)
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        broker.listener.withLock { $0 = listener }
        return broker
    }

    private func accepted(_ channel: any Channel) -> Int {
        ledger.withLock { ledger in
            ledger.connections.append(channel)
            return ledger.connections.count
        }
    }

    private func said(_ input: Input) -> Output {
        ledger.withLock { $0.inputs.append(input) }
        return script(input)
    }

    private func admitted(_ token: String?) -> Bool {
        ledger.withLock { $0.tokens.append(token) }
        return admits(token)
    }

    private func ended(_ end: End) { ledger.withLock { $0.ends.append(end) } }

    // MARK: What a test does

    func client(tokens source: TokenSource? = nil) throws -> BrokerClient {
        let port = try #require(listener.withLock { $0 }?.localAddress?.port)
        return try BrokerClient(
            ClientConfiguration(
                address: try BrokerAddress("http://127.0.0.1:\(port)"), tokenSource: source))
    }

    /// The tokens that requests showed, in the order in which they came.
    var tokens: [String?] { ledger.withLock { $0.tokens } }

    /// All that was said, in the order in which it came.
    var inputs: [Input] { ledger.withLock { $0.inputs } }

    /// How WebSockets ended, in that order.
    var ends: [End] { ledger.withLock { $0.ends } }

    /// The types of the messages that came on a connection.
    func messages(connection number: Int) -> [String] {
        inputs.compactMap { input in
            guard case .message(let text, number) = input else { return nil }
            return (try? JSONFields(Array(text.utf8)))?.text("type")
        }
    }

    /// The last message that came on a connection.
    func saidLast(connection number: Int) -> String? {
        inputs.compactMap { input in
            if case .message(let text, number) = input { text } else { nil }
        }.last
    }

    /// Waits until a client has said this.
    func received(_ input: Input) async throws {
        try await eventually("\(input)") { inputs.contains(input) }
    }

    /// Says more on a WebSocket, unasked.
    func send(_ messages: [String], connection number: Int) async throws {
        let frames = messages.flatMap { WebSocketFrame.encode(text: Array($0.utf8)) }
        try await channel(number).writeAndFlush(ByteBuffer(bytes: frames)).get()
    }

    /// Sends a close frame.
    func sendClose(_ code: UInt16, connection number: Int) async throws {
        let frame = WebSocketFrame.encodeClose(code: code)
        try await channel(number).writeAndFlush(ByteBuffer(bytes: frame)).get()
    }

    /// Ends a connection.
    func close(connection number: Int) async throws { try await channel(number).close().get() }

    private func channel(_ number: Int) -> any Channel {
        ledger.withLock { $0.connections[number - 1] }
    }
}

/// What was waited for did not come.
struct TimedOut: Error {
    let what: String
}

/// Asks again and again until the answer is yes; for what tells nobody that it has come about.
func eventually(_ what: String, _ condition: () -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(20)
    while !condition() {
        guard ContinuousClock.now < deadline else { throw TimedOut(what: what) }
        try await Task.sleep(for: .milliseconds(5))
    }
}
