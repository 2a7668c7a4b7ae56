import AccessControl
import Dispatch
import EventModel
import Logging
import MemoryLog
import NIOCore
import NIOHTTP1
import NIOPosix
import OpenSSLBridge
import Publishing
import SessionProtocol
import Synchronization
import Transport

@testable import Delivery
@testable import FanOut
@testable import SessionEndpoint

/// A node without HTTP: every upgrade is handed to the subscribe endpoint, on a log in memory.
final class TestNode: Sendable {
    let log: MemoryLog
    let hub: DeliveryHub
    let sink: HeldSink
    let port: Int
    private let server: TransportServer
    private let group: MultiThreadedEventLoopGroup
    private let loopCount: Int

    init(
        log memory: MemoryLog = MemoryLog(), limits: Limits = Limits(), loops: Int = 1,
        faultsPerMinuteMax: Int = 100,
        wrapping wrap: (MemoryLog) -> any EventLog = { $0 },
        authenticate: Authenticate? = nil, tickets: TicketOffice = .none
    ) throws {
        log = memory
        var limits = limits
        limits.faultsPerMinuteMax = faultsPerMinuteMax
        loopCount = loops
        group = MultiThreadedEventLoopGroup(numberOfThreads: loops)
        let log = wrap(memory)
        hub = try DeliveryHub(loops: Array(group.makeIterator()), log: log, limits: limits)
        sink = HeldSink(hub)
        self.log.start(sink: sink)
        let terms = SessionTerms(node: "n1", version: "1.0.0", limits: limits)
        let endpoint = WebSocketAdmission(
            SessionServices(
                log: log, hub: hub, terms: terms, authenticate: authenticate, tickets: tickets,
                origins: OriginList([]),
                publisher: Publisher(
                    log: log, createsTopics: true, sha256: { Digest.sha256($0) }),
                makeSessionName: { "s_1" }),
            refusal: { error, _, headers in
                HTTPAnswer(
                    status: HTTPResponseStatus(statusCode: error.code.httpStatus), headers: headers,
                    body: ByteBuffer(string: error.code.rawValue))
            })
        server = TransportServer(
            group: group,
            listeners: [
                Listener(
                    ListenAddress(isTLS: false, host: "127.0.0.1", port: 0),
                    .http(UpgradesOnly(endpoint: endpoint)))
            ],
            tls: nil,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        port = try server.start()[0].port
    }

    deinit {
        try? server.shutdown().wait()
        hub.stop()
        // Its loops may run this.
        group.shutdownGracefully(queue: .global()) { _ in }
    }

    /// Appends events, each with its number as data, and tells when they are committed.
    func publish(_ topic: String, _ data: String...) async throws {
        let part = AppendRequest.Part(
            topic: try TopicName(topic), events: data.map { NewEvent(data: Array($0.utf8)) })
        let result = await withCheckedContinuation { continuation in
            log.append(AppendRequest(parts: [part])) { continuation.resume(returning: $0) }
        }
        _ = try result.get()
    }

    func cursor(_ topic: String, _ offset: Offset) async throws -> Cursor {
        let found = try await log.describe(try TopicName(topic))
        guard let found else { throw BrokerError(.topicNotFound, "no \(topic)") }
        return Cursor(epoch: found.position.epoch, offset: offset)
    }

    /// What `body` finds on each loop, summed.
    func sum(_ body: @escaping @Sendable (LoopDelivery) -> Int) async -> Int {
        let state = Mutex((left: loopCount, sum: 0))
        return await withCheckedContinuation { continuation in
            let found: @Sendable (Int) -> Void = { value in
                let sum: Int? = state.withLock { state in
                    state.left -= 1
                    state.sum += value
                    return state.left == 0 ? state.sum : nil
                }
                if let sum { continuation.resume(returning: sum) }
            }
            hub.forEachLoop { found(body($0)) }
        }
    }

    func connectionCount() async -> Int { await sum { $0.connectionCount } }

    /// Ends all connections from below.
    func abortAll() async throws { try await server.shutdown().get() }

    func drain(within time: Duration) { hub.forEachLoop { $0.drain(reconnectWithin: time) } }
}

extension LoopDelivery {
    var awaitedCount: Int { shard.topicsAwaited.count }

    func readerCount(of topic: String) -> Int {
        guard let topic = try? TopicName(topic) else { return 0 }
        return shard.followerCount(of: topic)
    }
}

private struct UpgradesOnly: HTTPService {
    let endpoint: WebSocketAdmission

    func admit(_ head: HTTPRequestHead, from connection: ConnectionInfo) -> HTTPAdmission {
        .collect(bodyBytesMax: 0, mayStream: true)
    }

    func respond(to exchange: HTTPExchange) {
        let (head, connection) = (exchange.head, exchange.connection)
        let reply = { (reply: HTTPReply) in
            switch reply {
            case .answer(let answer): exchange.answer(answer)
            case .stream(let stream): exchange.stream(stream)
            }
        }
        let parts = head.uri.split { "?&".contains($0) }
        let items = parts.dropFirst().map { item in
            let pair = item.split(separator: "=", maxSplits: 1)
            return (name: String(pair[0]), value: String(pair[1]))
        }
        let tickets = items.filter { $0.name == "ticket" }.map(\.value)
        let others = items.filter { $0.name != "ticket" }
        if parts[0] == "/v1/connect" {
            return endpoint.connect(
                items: others, tickets: tickets, head, from: connection, reply: reply)
        }
        guard let topic = try? TopicName(String(parts[0].dropFirst())) else {
            return exchange.answer(HTTPAnswer(status: .notFound))
        }
        endpoint.stream(
            topic, items: others, tickets: tickets, head, from: connection, reply: reply)
    }

    func refuse(_ fault: HTTPFault, head: HTTPRequestHead?) -> HTTPAnswer {
        HTTPAnswer(status: fault.status)
    }
}

/// What was waited for did not come.
struct TimedOut: Error, CustomStringConvertible {
    let what: String
    var description: String { "\(what) did not come about in time" }
}

/// Asks again and again until the answer is yes; for what tells nobody that it has come about.
func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(20)
    while !(try await condition()) {
        guard ContinuousClock.now < deadline else { throw TimedOut(what: what) }
        try await Task.sleep(for: .milliseconds(2))
    }
}
