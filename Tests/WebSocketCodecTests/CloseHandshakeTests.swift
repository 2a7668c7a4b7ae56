import Testing
import WebSocketCodec

private let start = ContinuousClock.now

@Suite("The close handshake, by sections of RFC 6455") struct CloseHandshakeTests {
    private var handshake = CloseHandshake(role: .server, timeout: .seconds(5))
    private var actions: [CloseHandshake.Action] = []

    @Test mutating func `5·5·1 answers the peer's close with its code and closes`() {
        handshake.closeReceived(code: 1000, now: start, into: &actions)
        #expect(actions == [.sendClose(code: 1000, reason: ""), .closeConnection])
        #expect(!handshake.isOpen)
    }

    @Test mutating func `of our own closes when the peer has answered`() {
        handshake.close(code: 4001, reason: "drain", now: start, into: &actions)
        handshake.close(code: 4003, reason: "internal", now: start, into: &actions)
        #expect(!handshake.isOpen)
        handshake.closeReceived(code: 4001, now: start, into: &actions)
        #expect(actions == [.sendClose(code: 4001, reason: "drain"), .closeConnection])
        #expect(handshake.deadline == nil)
    }

    @Test mutating func `does not wait for ever`() {
        handshake.close(code: 1000, reason: "", now: start, into: &actions)
        #expect(handshake.deadline == start + .seconds(5))
        handshake.tick(now: start + .seconds(4), into: &actions)
        handshake.tick(now: start + .seconds(5), into: &actions)
        handshake.tick(now: start + .seconds(6), into: &actions)
        #expect(actions == [.sendClose(code: 1000, reason: ""), .closeConnection])
    }

    @Test mutating func `7·1·7 tells a fault and closes without waiting`() {
        let fault = WebSocketFault(closeCode: 1002, reason: "masked")
        handshake.failed(fault, into: &actions)
        handshake.failed(fault, into: &actions)
        #expect(actions == [.sendClose(code: 1002, reason: "masked"), .closeConnection])
    }

    @Test mutating func `closes once the input has ended, whatever was awaited`() {
        handshake.close(code: 1000, reason: "", now: start, into: &actions)
        handshake.inputEnded(into: &actions)
        handshake.inputEnded(into: &actions)
        handshake.tick(now: start + .seconds(6), into: &actions)
        #expect(actions == [.sendClose(code: 1000, reason: ""), .closeConnection])
    }

    @Test mutating func `that is abandoned does nothing more`() {
        handshake.close(code: 1000, reason: "", now: start, into: &actions)
        handshake.abandon()
        handshake.closeReceived(code: 1000, now: start, into: &actions)
        handshake.tick(now: start + .seconds(6), into: &actions)
        #expect(actions == [.sendClose(code: 1000, reason: "")])
        #expect(handshake.deadline == nil)
    }
}

@Suite("The close handshake of a client, by sections of RFC 6455") struct ClientCloseHandshakeTests
{
    private var handshake = CloseHandshake(role: .client, timeout: .seconds(5))
    private var actions: [CloseHandshake.Action] = []

    @Test mutating func `7·1·1 leaves it to the server to close, when the server began`() {
        handshake.closeReceived(code: 4001, now: start, into: &actions)
        #expect(actions == [.sendClose(code: 4001, reason: "")])
        #expect(handshake.deadline == start + .seconds(5))
        handshake.inputEnded(into: &actions)
        #expect(actions == [.sendClose(code: 4001, reason: ""), .closeConnection])
        #expect(handshake.deadline == nil)
    }

    @Test mutating func `7·1·1 leaves it to the server to close, when the client began`() {
        handshake.close(code: 1000, reason: "", now: start, into: &actions)
        handshake.closeReceived(code: 1000, now: start + .seconds(4), into: &actions)
        #expect(actions == [.sendClose(code: 1000, reason: "")])
        #expect(handshake.deadline == start + .seconds(5))
        handshake.tick(now: start + .seconds(5), into: &actions)
        #expect(actions == [.sendClose(code: 1000, reason: ""), .closeConnection])
    }

    @Test mutating func `5·5·2 answers pings until the server's close has come`() {
        #expect(handshake.answersPings)
        handshake.close(code: 1000, reason: "", now: start, into: &actions)
        #expect(handshake.answersPings)
        handshake.closeReceived(code: 1000, now: start, into: &actions)
        #expect(!handshake.answersPings)
    }
}
