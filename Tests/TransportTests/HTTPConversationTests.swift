import NIOCore
import NIOHTTP1
import Testing

@testable import Transport

private let now = NIODeadline.now()

/// What happens is told in short, so that whole answers of the machine are compared.
@Suite("The conversation of a connection") struct HTTPConversationTests {
    private var conversation: HTTPConversation

    init() {
        conversation = HTTPConversation(
            TransportLimits(), bodies: BodyBudget(bytesMax: TransportLimits().bodiesBytesMax))
    }

    private mutating func decide(
        _ input: (inout HTTPConversation, inout [HTTPConversation.Action]) -> Void
    ) -> [String] {
        var actions: [HTTPConversation.Action] = []
        input(&conversation, &actions)
        return actions.map { describe($0) }
    }

    private func describe(_ action: HTTPConversation.Action) -> String {
        switch action {
        case .admit(let head, let number): "admit \(number) \(head.uri)"
        case .respond(let request): "respond \(request.number)"
        case .word(let fault, _, let number): "word \(number) \(fault.status.code)"
        case .write(let answer, _): "write \(answer.status.code)"
        case .writeContinue: "write 100"
        case .writeHead(let stream, _): "write head \(stream.status.code)"
        case .open(_, let framing): "open \(framing)"
        case .setDeadline(let deadline):
            deadline == .distantFuture
                ? "no deadline" : "deadline \((deadline - now).nanoseconds / 1_000_000_000)"
        case .discardInput: "discard input"
        case .close: "close"
        case .abort: "abort"
        }
    }

    private mutating func receive(_ uri: String, _ headers: HTTPHeaders = [:]) -> [String] {
        var all: HTTPHeaders = ["host": "x"]
        all.add(contentsOf: headers)
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: uri, headers: all)
        return decide { $0.received(.head(head), now: now, into: &$1) }
    }

    private mutating func end() -> [String] {
        decide { $0.received(.end(nil), now: now, into: &$1) }
    }

    private mutating func admit(_ number: Int, mayStream: Bool = false) -> [String] {
        let collection = HTTPCollection(bodyBytesMax: 10, mayStream: mayStream)
        return decide { $0.admitted(number, .collect(collection), now: now, into: &$1) }
    }

    private mutating func answer(_ number: Int, _ status: HTTPResponseStatus) -> [String] {
        decide { $0.answered(number, with: HTTPAnswer(status: status), now: now, into: &$1) }
    }

    private mutating func stream(_ number: Int, _ status: HTTPResponseStatus = .ok) -> [String] {
        let stream = HTTPStream(status: status, headers: [:]) { _ in
            preconditionFailure("bug: a machine opens nothing")
        }
        return decide { $0.streamed(number, as: stream, into: &$1) }
    }

    private mutating func flush() -> [String] { decide { $0.flushed(now: now, into: &$1) } }

    @Test mutating func `asks about a request, has it answered, and waits for the next`() {
        #expect(receive("/1") == ["admit 0 /1"])
        #expect(conversation.isHolding(unsentBytes: 0))
        #expect(admit(0) == [])
        #expect(end() == ["deadline 75", "respond 0"])
        #expect(answer(0, .ok) == ["write 200"])
        #expect(flush() == ["deadline 75"])
        #expect(decide { $0.finish(into: &$1) } == ["discard input", "close"])
    }

    @Test mutating func `answers in the order of the requests`() {
        for number in 0...1 {
            _ = receive("/\(number)")
            _ = admit(number)
            _ = end()
        }
        #expect(answer(1, .created) == [])
        #expect(answer(0, .ok) == ["write 200", "write 201"])
    }

    @Test mutating func `reads nothing behind a request that may be streamed`() {
        _ = receive("/1")
        #expect(admit(0, mayStream: true) == [])
        #expect(end() == ["no deadline", "respond 0"])
        #expect(conversation.isHolding(unsentBytes: 0))
        #expect(stream(0) == ["write head 200"])
        #expect(decide { $0.inputEnded(into: &$1) } == [])
        #expect(flush() == ["open chunked"])
        #expect(conversation.isHolding(unsentBytes: 0))
    }

    @Test mutating func `goes on behind it when it is answered otherwise`() {
        _ = receive("/1")
        _ = admit(0, mayStream: true)
        _ = end()
        #expect(answer(0, .ok) == ["deadline 75", "write 200"])
        #expect(!conversation.isHolding(unsentBytes: 0))
    }

    @Test mutating func `ends behind an upgrade that is refused`() {
        _ = receive("/1", ["upgrade": "x", "connection": "upgrade"])
        _ = admit(0, mayStream: true)
        _ = end()
        #expect(answer(0, .unauthorized) == ["write 401", "discard input"])
        #expect(flush() == ["close"])
    }

    @Test mutating func `switches protocols for who asks for it alone`() {
        _ = receive("/1")
        _ = admit(0, mayStream: true)
        _ = end()
        #expect(stream(0, .switchingProtocols) == ["word 0 400"])
    }

    @Test mutating func `tells a client that takes nothing from one that asks nothing`() {
        _ = receive("/1")
        _ = admit(0)
        _ = end()
        _ = answer(0, .ok)
        #expect(decide { $0.blocked(now: now, into: &$1) } == ["deadline 60"])
        #expect(decide { $0.blocked(now: now, into: &$1) } == [])
        conversation.progressed()
        #expect(decide { $0.blocked(now: now, into: &$1) } == ["deadline 60"])
        let reached = decide {
            $0.deadlineReached(isBlocked: true, unsentBytes: 9, now: now, into: &$1)
        }
        #expect(reached == ["abort"])
    }

    @Test mutating func `has an admission that comes after the end do nothing`() {
        _ = receive("/1")
        conversation.closed()
        #expect(admit(0) == [])
        #expect(answer(0, .ok) == [])
        #expect(stream(0) == [])
    }
}
