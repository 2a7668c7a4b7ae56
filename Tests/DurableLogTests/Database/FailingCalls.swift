import NetworkFaults
import Synchronization

/// Where a call to the database is lost.
enum LossPoint: String, CaseIterable {
    /// Before the server has all of it.
    case send
    /// When the server has done it, and its answer is on the way.
    case answer
}

/// Ends a connection at one call, counted over all connections of a role; once.
///
/// A call is whatever is answered with ReadyForQuery (manual 55.2): the start of a connection, a
/// query, or a Sync.
final class FailingCalls: Sendable {
    private struct State {
        var calls = 0
        var hasFailed = false
    }

    private let role: String
    private let number: Int
    private let point: LossPoint
    private let text: String
    private let answer: String
    private let state = Mutex(State())
    private let proxy = Mutex<SwitchProxy?>(nil)

    /// - Parameters:
    ///   - role: The end of the connections' `application_name`.
    ///   - number: Which call, from 1 on.
    ///   - point: Where it is lost.
    ///   - text: Only calls whose statement has this in it count; empty: all do.
    ///   - answer: Instead of a number: the first call whose answer has a row with this in it.
    init(
        of role: String, number: Int = 0, at point: LossPoint = .answer, saying text: String = "",
        answered answer: String = ""
    ) {
        self.role = role
        self.number = number
        self.point = point
        self.text = text
        self.answer = answer
    }

    /// Whether there was such a call.
    var hasFailed: Bool { state.withLock { $0.hasFailed } }

    /// The database by way of a proxy that does it; lasts as long as these calls are held.
    func conninfo(before conninfo: String) throws -> String {
        let server = ServerAddress(conninfo)
        let proxy = try SwitchProxy(to: .socket(server.socket)) { [weak self] in
            self.map(CallWatch.init)
        }
        self.proxy.withLock { $0 = proxy }
        return "host=127.0.0.1 port=\(proxy.port) sslmode=disable gssencmode=disable \(server.rest)"
    }

    fileprivate func isOfRole(_ greeting: String) -> Bool {
        greeting.contains("application_name\0node \(role)\0")
    }

    fileprivate func isMeant(_ message: some Collection<UInt8>) -> Bool {
        text.isEmpty || String(decoding: message, as: UTF8.self).contains(text)
    }

    /// Whether the call is lost whose answer has this row.
    fileprivate func takeAnswer(_ row: some Collection<UInt8>) -> Bool {
        guard !answer.isEmpty, String(decoding: row, as: UTF8.self).contains(answer) else {
            return false
        }
        return state.withLock { state in
            defer { state.hasFailed = true }
            return !state.hasFailed
        }
    }

    /// Counts a call; where it is to be lost, if it is the one.
    fileprivate func next() -> LossPoint? {
        state.withLock { state in
            state.calls += 1
            guard state.calls == number else { return nil }
            state.hasFailed = true
            return point
        }
    }
}

/// A conninfo of a server with a unix socket: `host='…' port=… …`.
struct ServerAddress {
    var socket: String
    var rest: String

    init(_ conninfo: String) {
        var host = ""
        var port = "5432"
        var others: [Substring] = []
        for word in conninfo.split(separator: " ") {
            let value = word.drop { $0 != "=" }.dropFirst().filter { $0 != "'" }
            switch word.prefix(while: { $0 != "=" }) {
            case "host": host = value
            case "port": port = value
            default: others.append(word)
            }
        }
        socket = "\(host)/.s.PGSQL.\(port)"
        rest = others.joined(separator: " ")
    }
}

/// Reads one connection's messages (manual 55.7).
private struct CallWatch: LinkWatch {
    let calls: FailingCalls
    private var sent: [UInt8] = []
    private var received: [UInt8] = []
    private var hasStarted = false
    private var isOfRole = false
    /// A message of the call that is being sent says what is looked for.
    private var isMeant = false
    /// Calls of this connection, and those that were answered.
    private var callCount = 0
    private var answerCount = 0
    /// The call whose answer ends the connection.
    private var lostCall: Int?

    init(calls: FailingCalls) { self.calls = calls }

    mutating func up(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        sent += bytes
        while let message = Self.message(of: sent, typed: hasStarted) {
            let type = hasStarted ? sent[0] : 0
            if !hasStarted {
                hasStarted = true
                isOfRole = calls.isOfRole(String(decoding: sent[..<message], as: UTF8.self))
            }
            isMeant = isMeant || calls.isMeant(sent[..<message])
            sent.removeFirst(message)
            guard type == 0 || type == UInt8(ascii: "Q") || type == UInt8(ascii: "S") else {
                continue
            }
            callCount += 1
            defer { isMeant = false }
            guard isOfRole, isMeant, let point = calls.next() else { continue }
            if point == .send { return nil }
            lostCall = callCount
        }
        return bytes
    }

    mutating func down(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        received += bytes
        while let message = Self.message(of: received, typed: true) {
            let row = received[..<message]
            if received[0] == UInt8(ascii: "D"), isOfRole, calls.takeAnswer(row) {
                lostCall = answerCount + 1
            }
            if received[0] == UInt8(ascii: "Z") { answerCount += 1 }
            received.removeFirst(message)
            if answerCount == lostCall { return nil }
        }
        return lostCall == nil ? bytes : []
    }

    /// The length of the first message, if all of it is there.
    private static func message(of bytes: [UInt8], typed: Bool) -> Int? {
        let start = typed ? 1 : 0
        guard bytes.count >= start + 4 else { return nil }
        let length = bytes[start..<start + 4].reduce(0) { $0 << 8 | Int($1) } + start
        return bytes.count >= length ? length : nil
    }
}
