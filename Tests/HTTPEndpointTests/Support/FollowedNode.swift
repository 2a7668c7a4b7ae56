import AccessControl
import Delivery
import Dispatch
import EventModel
import FanOut
import Logging
import MemoryLog
import NIOCore
import NIOPosix
import RawClient
import Transport

@testable import HTTPEndpoint

/// A broker over a log in memory, on a plain port, with delivery on a loop of its own.
final class FollowedNode {
    let log = MemoryLog()
    let hub: DeliveryHub
    private let server: TransportServer
    private let port: Int
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    init(
        limits: Limits = Limits(), authenticate: Authenticate? = nil,
        origins: OriginList = OriginList([])
    ) throws {
        hub = try DeliveryHub(loops: Array(group.makeIterator()), log: log, limits: limits)
        log.start(sink: hub)
        let broker = HTTPBroker.test(
            log, hub: hub, authenticate: authenticate, origins: origins, limits: limits)
        server = TransportServer(
            group: group,
            listeners: [
                Listener(ListenAddress(isTLS: false, host: "127.0.0.1", port: 0), .http(broker))
            ],
            tls: nil, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        port = try server.start()[0].port
    }

    deinit {
        try? server.shutdown().wait()
        hub.stop()
        // Its loops may run this.
        group.shutdownGracefully(queue: .global()) { _ in }
    }

    var connectionCount: Int { server.connectionCount }

    /// Appends events with these texts as data.
    func publish(_ topic: String, _ data: [String]) async throws {
        let part = AppendRequest.Part(
            topic: try TopicName(topic),
            events: data.map { NewEvent(data: Array($0.utf8)) })
        let result = await withCheckedContinuation { continuation in
            log.append(AppendRequest(parts: [part])) { continuation.resume(returning: $0) }
        }
        _ = try result.get()
    }

    /// A new ticket of a token's.
    func ticket(token: String) throws -> String {
        let client = try connect()
        try client.send(
            "POST /v1/tickets HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"
                + "Authorization: Bearer \(token)\r\nConnection: close\r\n\r\n")
        let parts = try client.receiveAll().split(separator: "\"")
        return String(parts.first { $0.hasPrefix("slt_") } ?? "")
    }

    func connect() throws -> RawClient { try RawClient(port: port) }

    /// Sends a request whose answer is the connection's last.
    func request(_ request: String) throws -> RawClient {
        let client = try connect()
        try client.send("\(request) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return client
    }

    /// Begins to follow, and reads the answer's head.
    func follow(_ target: String, _ headers: String = "") throws -> Follower {
        let client = try connect()
        try client.send("GET \(target) HTTP/1.1\r\nHost: localhost\r\n\(headers)\r\n")
        return Follower(client: client, head: try client.receive(upTo: "\r\n\r\n"))
    }

    /// How many subscriptions get the topic.
    func followerCount(of topic: String) async throws -> Int {
        let name = try TopicName(topic)
        let hub = hub
        return try await group.next().submit { hub.loop(0).shard.followerCount(of: name) }.get()
    }

    /// The cursor of an offset in a topic that there is.
    func cursor(of topic: String, _ offset: Offset) async throws -> Cursor {
        let name = try TopicName(topic)
        let page = await withCheckedContinuation { continuation in
            log.page(of: name, after: 0, events: 1, bytes: 1) { continuation.resume(returning: $0) }
        }
        return Cursor(epoch: try page.get().position.epoch, offset: offset)
    }
}

/// The connection ended in the middle of the body.
struct CutOff: Error {}

/// Reads the lines of a chunked body.
final class Follower {
    let client: RawClient
    let head: String
    private var text: [UInt8] = []

    init(client: RawClient, head: String) {
        self.client = client
        self.head = head
    }

    /// The next line; `nil` behind the last chunk.
    func line() throws -> String? {
        while true {
            if let end = text.firstIndex(of: 10) {
                defer { text.removeFirst(end + 1) }
                return String(decoding: text[..<end], as: UTF8.self)
            }
            guard let size = Int(try client.receive(upTo: "\r\n").dropLast(1), radix: 16) else {
                throw CutOff()
            }
            text += try client.receive(exactly: size)
            _ = try client.receive(exactly: 2)
            if size == 0 { return nil }
        }
    }

    /// The lines up to one that has this in it, inclusive; heartbeats are left out.
    func lines(upTo end: String) throws -> [String] {
        var lines: [String] = []
        while let line = try line() {
            if !line.contains(#""type":"heartbeat""#) { lines.append(line) }
            if line.contains(end) { return lines }
        }
        return lines
    }
}
