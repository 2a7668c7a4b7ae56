import AccessControl
import Delivery
import EventModel
import Logging
import MemoryLog
import NIOCore
import NIOHTTP1
import NIOPosix
import Publishing
import SessionProtocol
import Synchronization
import Transport

@testable import HTTPEndpoint

/// A broker over a scripted log, asked without a socket.
struct BrokerFixture {
    static let goodToken = "good"
    static let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
    static let connection = ConnectionInfo(
        remoteAddress: "127.0.0.1:40000", isTLS: false, eventLoop: eventLoop, loopIndex: 0)

    let log = ScriptedLog()
    let tokens: ScriptedTokens?
    let broker: HTTPBroker

    init(
        tokens: ScriptedTokens? = nil, origins: OriginList = OriginList([]),
        limits: Limits = Limits()
    ) {
        self.tokens = tokens
        var authenticate: Authenticate?
        if let tokens {
            authenticate = { text, completion in tokens.authenticate(text, completion) }
        }
        broker = .test(log, authenticate: authenticate, origins: origins, limits: limits)
    }

    /// What an answer comes to, with its headers in order.
    struct Answer: Equatable, CustomStringConvertible {
        var status: UInt
        var headers: [String]
        var body: String

        var description: String { "\(status) \(headers) \(body)" }
    }

    /// Asks as the transport does: `admit`, and `handle` when the body is wanted.
    func ask(
        _ method: HTTPMethod, _ uri: String, _ headers: HTTPHeaders = [:], _ body: String = ""
    ) async throws -> Answer {
        try await begin(method, uri, headers, body).get()
    }

    /// The same, without waiting for the answer; the request has been handled when this returns.
    func begin(
        _ method: HTTPMethod, _ uri: String, _ headers: HTTPHeaders = [:], _ body: String = "",
        from connection: ConnectionInfo = Self.connection
    ) async throws -> EventLoopFuture<Answer> {
        let eventLoop = connection.eventLoop
        let promise = eventLoop.makePromise(of: Answer.self)
        let head = HTTPRequestHead(version: .http1_1, method: method, uri: uri, headers: headers)
        let handle = { @Sendable [broker] (collection: HTTPCollection) in
            guard let admitted = collection.note as? AdmittedRequest else {
                return promise.fail(UnexpectedStream())
            }
            broker.handle(
                IncomingRequest(
                    head: head, body: ByteBuffer(string: body), connection: connection,
                    identity: admitted.identity, answer: { promise.succeed(Answer($0)) },
                    stream: { _ in promise.fail(UnexpectedStream()) }),
                for: admitted.destination)
        }
        try await eventLoop.submit { [broker] in
            switch broker.admit(head, from: connection) {
            case .collect(let collection): handle(collection)
            case .answer(let answer): promise.succeed(Answer(answer))
            case .pending(let decide):
                decide(
                    HTTPAdmissionDecision { outcome in
                        switch outcome {
                        case .collect(let collection): handle(collection)
                        case .answer(let answer): promise.succeed(Answer(answer))
                        case .dropped: promise.fail(UnexpectedStream())
                        }
                    })
            }
        }.get()
        return promise.futureResult
    }

    /// Asks for a publish of one event.
    func publish(
        _ body: String, to topic: String = "orders.eu", _ headers: HTTPHeaders = [:]
    ) async throws -> Answer {
        var all: HTTPHeaders = ["content-type": "application/json"]
        all.add(contentsOf: headers)
        return try await ask(.POST, "/v1/topics/\(topic)/events", all, body)
    }
}

struct UnexpectedStream: Error {}

extension BrokerFixture.Answer {
    init(_ answer: HTTPAnswer) {
        status = answer.status.code
        headers = answer.headers.map { "\($0): \($1)" }
        body = answer.body.map { String(buffer: $0) } ?? ""
    }

    /// The problem's code.
    var code: String? {
        body.firstRange(of: #""code":""#).map { range in
            String(body[range.upperBound...].prefix { $0 != "\"" })
        }
    }
}

extension HTTPBroker {
    /// A broker over a log, whose streams are on the event loop with this number.
    static func test(
        _ log: any EventLog, hub: DeliveryHub? = nil, authenticate: Authenticate? = nil,
        origins: OriginList = OriginList([]), limits: Limits = Limits()
    ) -> HTTPBroker {
        HTTPBroker(
            log: log, publisher: Publisher(log: log, createsTopics: true, sha256: fakeDigest),
            hub: hub ?? noHub,
            terms: SessionTerms(node: "n", version: "0", limits: limits),
            authenticate: authenticate, tickets: .test(), origins: origins,
            upgrades: RefusingUpgrades(), limits: limits,
            now: { Timestamp(microseconds: 1_000_000_000) },
            requestID: { "r_1" }, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// For who asks for no streams.
    private static let noHub: DeliveryHub = {
        do { return try DeliveryHub(loops: [], log: MemoryLog(), limits: Limits()) } catch {
            preconditionFailure("bug: a hub without loops waits for nothing")
        }
    }()
}

extension TicketOffice {
    /// Issues tickets until 30 s after 1970.
    static func test() -> TicketOffice {
        TicketOffice(
            store: MemoryTickets(), digest: fakeDigest, date: { Timestamp(microseconds: 0) },
            makeTicket: {
                var random = SystemRandomNumberGenerator()
                return Ticket(using: &random)
            })
    }
}

/// Tickets of tokens that stand.
final class MemoryTickets: TicketStore {
    private let expires = Timestamp(microseconds: 30_000_000)
    private let tokens = Mutex<[[UInt8]: String]>([:])

    func issue(
        ticket hash: [UInt8], of tokenID: String,
        completion: @escaping @Sendable (Result<Timestamp, BrokerError>) -> Void
    ) {
        tokens.withLock { $0[hash] = tokenID }
        completion(.success(expires))
    }

    func redeem(
        ticket hash: [UInt8],
        completion: @escaping @Sendable (Result<RedeemedTicket?, BrokerError>) -> Void
    ) {
        let id = tokens.withLock { $0.removeValue(forKey: hash) }
        completion(
            .success(
                id.map { id in
                    RedeemedTicket(
                        token: TokenRecord(
                            id: id, name: "test", hash: [], created: Timestamp(microseconds: 0)),
                        expires: expires, isExpired: false)
                }))
    }
}

/// Not SHA-256, but 32 bytes that differ when the input does.
@Sendable func fakeDigest(_ bytes: [UInt8]) -> [UInt8] {
    let start: [UInt8] = Array(repeating: 0, count: 32)
    return bytes.enumerated().reduce(into: start) { $0[$1.offset % 16] &+= $1.element &* 31 }
}

/// Refuses all upgrades with the route that it was asked for, so that tests see it.
struct RefusingUpgrades: UpgradeService {
    func upgrade(_ request: IncomingRequest, route: UpgradeRoute) {
        request.answer(.json(.imATeapot, Array("\(route)".utf8)))
    }
}

/// Knows one token; at once, or when the test says.
final class ScriptedTokens: Sendable {
    private struct State {
        var isSlow: Bool
        var waiting: [@Sendable () -> Void] = []
    }

    /// How many look-ups wait for `arrive`.
    var waitingCount: Int { state.withLock(\.waiting.count) }

    /// One element for each look-up that waits.
    let asked: AsyncStream<Void>
    private let asking: AsyncStream<Void>.Continuation
    private let state: Mutex<State>

    init(isSlow: Bool = false) {
        state = Mutex(State(isSlow: isSlow))
        (asked, asking) = AsyncStream.makeStream()
    }

    func authenticate(
        _ text: String,
        _ completion: @escaping @Sendable (Result<Identity, BrokerError>) -> Void
    ) {
        let answer = { @Sendable in
            completion(
                text == BrokerFixture.goodToken
                    ? .success(Identity(tokenID: "t1", name: "test", expires: nil))
                    : .failure(BrokerError(.unauthorized, "The token is not known.")))
        }
        let isSlow = state.withLock { state in
            if state.isSlow { state.waiting.append(answer) }
            return state.isSlow
        }
        if isSlow { asking.yield() } else { answer() }
    }

    /// From now on every token is known at once; those that wait are told.
    func arrive() {
        let waiting = state.withLock { state in
            defer { state.waiting = [] }
            state.isSlow = false
            return state.waiting
        }
        for answer in waiting { answer() }
    }
}
