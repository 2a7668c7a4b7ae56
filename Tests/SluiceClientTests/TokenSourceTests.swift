import FoundationEssentials
import Synchronization
import Testing

@testable import SluiceClient

/// Gives tokens in order, the last one again and again; an error for "".
private final class Tokens: Sendable {
    private let rest: Mutex<(tokens: [String], asked: Int)>

    init(_ tokens: String...) { rest = Mutex((tokens, 0)) }

    var asked: Int { rest.withLock { $0.asked } }

    var source: TokenSource {
        TokenSource {
            try self.rest.withLock { rest in
                rest.asked += 1
                let token = rest.tokens.count > 1 ? rest.tokens.removeFirst() : rest.tokens[0]
                if token.isEmpty { throw TimedOut(what: "the issuer") }
                return token
            }
        }
    }
}

private func welcome(expires: String = "null") -> String {
    """
    {"type":"welcome","protocol":"sluice.v1","session":"s_1","node":"n","version":"1",\
    "time":"2026-01-01T00:10:00.000000Z","heartbeat_ms":20000,"expires":\(expires),"limits":{}}
    """
}

private let subscribed = #"{"type":"subscribed","id":1,"topics":{}}"#

@Suite("A client whose tokens do not last") struct TokenSourceTests {
    private static let topic = #"{"topic":"a","durable":true,"earliest":1,"latest":0}"#

    private func broker(
        admits: @escaping @Sendable (String?) -> Bool = { _ in true },
        welcome text: String = welcome()
    ) async throws -> ScriptedBroker {
        try await ScriptedBroker.start(admits: admits) { input in
            switch input {
            case .opened: .messages([text])
            case .message(let text, _) where text.contains("subscribe"): .messages([subscribed])
            case .message: .silence
            case .request: .answer(status: "200 OK", json: Self.topic)
            }
        }
    }

    @Test func `asks once, and shows the token with everything`() async throws {
        let broker = try await broker()
        let tokens = Tokens("one")
        let client = try broker.client(tokens: tokens.source)
        _ = try await client.topic("a")
        _ = try await client.topic("a")
        var iterator = try client.subscribe(to: ["a"]).makeAsyncIterator()
        _ = try await iterator.next()
        #expect(broker.tokens == ["one", "one", "one"])
        #expect(tokens.asked == 1)
    }

    @Test func `sends a request again that was refused, with another token`() async throws {
        let broker = try await broker(admits: { $0 == "two" })
        let client = try broker.client(tokens: Tokens("one", "two").source)
        #expect(try await client.topic("a").name == "a")
        var iterator = try client.subscribe(to: ["a"]).makeAsyncIterator()
        _ = try await iterator.next()
        #expect(broker.tokens == ["one", "two", "two"])
    }

    @Test func `connects again with another token where one was refused`() async throws {
        let broker = try await broker(admits: { $0 == "two" })
        var iterator = try broker.client(tokens: Tokens("one", "two").source).subscribe(to: ["a"])
            .makeAsyncIterator()
        _ = try await iterator.next()
        #expect(broker.tokens == ["one", "two"])
    }

    @Test func `is told of the refusal where there is no other token`() async throws {
        let broker = try await broker(admits: { _ in false })
        let tokens = Tokens("one")
        let client = try broker.client(tokens: tokens.source)
        let error = await #expect(throws: SluiceError.self) { try await client.topic("a") }
        #expect(error?.code == "unauthorized" && error?.description.contains("one") == false)
        var iterator = try client.subscribe(to: ["a"]).makeAsyncIterator()
        let other = await #expect(throws: SluiceError.self) { try await iterator.next() }
        #expect(other?.code == "unauthorized")
    }

    @Test func `extends a session before its token ends`() async throws {
        let broker = try await broker(welcome: welcome(expires: #""2026-01-01T00:10:00.3Z""#))
        let client = try broker.client(tokens: Tokens("one", "two").source)
        var iterator = try client.subscribe(to: ["a"]).makeAsyncIterator()
        _ = try await iterator.next()
        try await broker.received(.message(#"{"type":"auth","token":"two"}"#, connection: 1))
        #expect(broker.tokens == ["one"])
    }

    @Test(arguments: [UInt16(4200), 4201])
    func `comes back with another token when a session was ended`(code: UInt16) async throws {
        let broker = try await broker()
        let client = try broker.client(tokens: Tokens("one", "two").source)
        var iterator = try client.subscribe(to: ["a"]).makeAsyncIterator()
        _ = try await iterator.next()
        try await broker.sendClose(code, connection: 1)
        guard case .notice(.disconnected, _)? = try await iterator.next(),
            case .notice(.subscribed(session: _, isResumed: true), _)? = try await iterator.next()
        else { throw TimedOut(what: "another session") }
        #expect(broker.tokens == ["one", "two"])
    }

    @Test func `has the error of its source, and nothing is sent`() async throws {
        let broker = try await broker()
        let client = try broker.client(tokens: Tokens("").source)
        let error = await #expect(throws: SluiceError.self) { try await client.topic("a") }
        #expect(error?.code == "token_unavailable" && error?.retryAfter == .zero)
        var iterator = try client.subscribe(to: ["a"]).makeAsyncIterator()
        let other = await #expect(throws: SluiceError.self) { try await iterator.next() }
        #expect(other?.code == "token_unavailable")
        #expect(broker.tokens.isEmpty)
    }

    @Test func `asks a source again that fails for a while, once it has reached its broker`()
        async throws
    {
        let broker = try await broker()
        let client = try broker.client(tokens: Tokens("one", "", "two").source)
        var iterator = try client.subscribe(to: ["a"]).makeAsyncIterator()
        _ = try await iterator.next()
        try await broker.sendClose(4200, connection: 1)
        var reasons: [String] = []
        while case .notice(let notice, _)? = try await iterator.next() {
            guard case .disconnected(let reason, _) = notice else { break }
            reasons.append(reason)
        }
        #expect(reasons.count == 2)
        #expect(reasons.last?.contains("the issuer") == true)
        #expect(broker.tokens == ["one", "two"])
    }

    @Test func `reads a file's first line, whenever a token is needed`() async throws {
        let path =
            FileManager.default.temporaryDirectory.path
            + "/sluice-token-\(UInt64.random(in: .min ... .max))"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let source = TokenSource.file(path)
        await #expect(throws: (any Error).self) { try await source.ask() }
        for token in ["one", "two"] {
            try Data("\(token)\nrest".utf8).write(to: URL(filePath: path))
            #expect(try await source.ask() == token)
        }
    }

    @Test func `shows no token that is none`() async throws {
        let broker = try await broker()
        let client = try broker.client(tokens: Tokens("slc_a\r\nX: y").source)
        let error = await #expect(throws: SluiceError.self) { try await client.topic("a") }
        #expect(error?.code == "invalid_request" && error?.description.contains("slc") == false)
    }

    @Test func `tells no token when it is printed`() throws {
        let configuration = ClientConfiguration(
            address: try BrokerAddress("https://127.0.0.1:1"), token: "slc_a_b")
        var dumped = ""
        dump(configuration, to: &dumped)
        #expect("\(configuration)" == "https://127.0.0.1:1")
        #expect(!dumped.contains("slc_a_b") && !String(reflecting: configuration).contains("slc_"))
    }
}
