import Testing

@testable import OpenSSLBridge

@Suite("What a client's records mean behind the handshake") final class PostHandshakeTests {
    private var machine = PostHandshake()

    private func take(
        _ type: RecordContent, _ content: [UInt8]
    ) throws(RecordFault) -> PostHandshake.Meaning {
        try machine.take(type, content)
    }

    private func alert(_ type: RecordContent, _ content: [UInt8]) -> TLSAlert? {
        do throws(RecordFault) {
            _ = try take(type, content)
            return nil
        } catch { return error.alert }
    }

    @Test func `is data, new keys, or the end`() throws {
        #expect(try take(.applicationData, [1]) == .data)
        #expect(try take(.applicationData, []) == .nothing)
        #expect(try take(.handshake, [24, 0, 0, 1, 0]) == .keysUpdated(isAsked: false))
        #expect(try take(.handshake, [24, 0, 0, 1, 1]) == .keysUpdated(isAsked: true))
        #expect(try take(.alert, [1, 90]) == .nothing)
        #expect(try take(.alert, [1, 0]) == .closed)
    }

    @Test func `is the same when a KeyUpdate comes in pieces`() throws {
        for byte: UInt8 in [24, 0, 0, 1] { #expect(try take(.handshake, [byte]) == .nothing) }
        #expect(try take(.handshake, [1]) == .keysUpdated(isAsked: true))
        #expect(try take(.applicationData, [1]) == .data)
    }

    @Test(
        arguments: [
            (.handshake, [], .unexpectedMessage),
            (.handshake, [4, 0, 0, 1, 0], .unexpectedMessage),
            (.handshake, [1], .unexpectedMessage),
            (.handshake, [24, 0, 0, 1, 0, 24], .unexpectedMessage),
            (.handshake, [24, 0, 0, 1, 2], .illegalParameter),
            (.handshake, [24, 0, 0, 2], .decodeError),
            (.handshake, [24, 0, 1], .decodeError),
            (.alert, [], .unexpectedMessage),
            (.alert, [1], .decodeError),
            (.alert, [1, 0, 1], .decodeError),
            (.changeCipherSpec, [1], .unexpectedMessage),
        ] as [(RecordContent, [UInt8], TLSAlert)])
    func `is a fault that has its alert`(
        type: RecordContent, content: [UInt8], expected: TLSAlert
    ) {
        #expect(alert(type, content) == expected)
    }

    @Test func `is a fault when another record comes inside a message`() throws {
        _ = try take(.handshake, [24, 0])
        #expect(alert(.applicationData, [1]) == .unexpectedMessage)
    }

    @Test(arguments: [[2, 20], [1, 40], [0, 255]] as [[UInt8]])
    func `is the end without an answer when it is an alert`(content: [UInt8]) {
        let error = #expect(throws: RecordFault.self) {
            var machine = PostHandshake()
            _ = try machine.take(.alert, content)
        }
        #expect(error?.alert == nil)
        #expect(error?.what.contains("\(content[1])") == true)
    }

    @Test(
        arguments: [
            (.applicationData, []), (.handshake, [24, 0, 0, 1, 1]), (.alert, [1, 90]),
        ] as [(RecordContent, [UInt8])])
    func `is a fault when too many in a row bring nothing`(
        type: RecordContent, content: [UInt8]
    ) throws {
        for _ in 0..<2 {
            for _ in 0..<PostHandshake.idleRecordsMax { _ = try take(type, content) }
            #expect(try take(.applicationData, [1]) == .data)
        }
        for _ in 0..<PostHandshake.idleRecordsMax { _ = try take(type, content) }
        #expect(alert(type, content) == .unexpectedMessage)
    }
}
