import EventModel
import Foundation
import SessionProtocol
import SluiceClient
import Synchronization

/// A way to read a topic from a start position on: every interface, by name and by pattern.
enum ReadingWay: String, CaseIterable, Sendable {
    case session, batchSession, sessionPattern, cursors, cursorsOfPattern, cursorsAhead
    case stream, lines, serverSentEvents, pages, topicLines, topicEventsPattern
    case client, clientPattern, command, commandPattern

    /// Whether the topic is not named.
    var isPattern: Bool {
        switch self {
        case .sessionPattern, .cursorsOfPattern, .cursorsAhead, .topicEventsPattern,
            .clientPattern, .commandPattern:
            true
        case .session, .batchSession, .cursors, .stream, .lines, .serverSentEvents, .pages,
            .topicLines, .client, .command:
            false
        }
    }

    /// A start behind a cursor is said in `cursors`; there are no others.
    var takesCursorsOnly: Bool {
        switch self {
        case .cursors, .cursorsOfPattern, .cursorsAhead: true
        case .session, .batchSession, .sessionPattern, .stream, .lines, .serverSentEvents, .pages,
            .topicLines, .topicEventsPattern, .client, .clientPattern, .command, .commandPattern:
            false
        }
    }

    /// Begins to read `topic`, or all topics beside it, from a start on.
    func reader(
        of topic: String, from start: String, at broker: TestBroker
    ) async throws -> any StartReader {
        let pattern = topic.prefix { $0 != "." } + ".>"
        let what = isPattern ? String(pattern) : topic
        switch self {
        case .session, .sessionPattern:
            return SocketReader(broker, says: [Self.subscribe(to: what, "from", start)])
        case .batchSession:
            return SocketReader(
                broker, "/v1/connect?batch=1", says: [Self.subscribe(to: what, "from", start)])
        case .cursors, .cursorsOfPattern:
            let cursors = #"{"\#(topic)":"\#(start.dropFirst("after:".count))"}"#
            return SocketReader(broker, says: [Self.subscribe(to: what, cursors: cursors)])
        case .cursorsAhead:
            let cursors = #"{"\#(topic)":"\#(start.dropFirst("after:".count))"}"#
            return SocketReader(
                broker,
                says: [
                    #"{"type":"cursors","id":1,"cursors":\#(cursors)}"#,
                    Self.subscribe(to: what, "from", "latest"),
                ])
        case .stream:
            return SocketReader(broker, "/v1/topics/\(topic)/events?from=\(start)", says: [])
        case .lines:
            return try ProgramReader(
                broker, gets: "/v1/topics/\(topic)/events?follow&from=\(start)")
        case .serverSentEvents:
            return try ProgramReader(
                broker, gets: "/v1/topics/\(topic)/events?follow&from=\(start)",
                accepting: "text/event-stream")
        case .topicLines:
            return try ProgramReader(broker, gets: "/v1/events?topic=\(what)&from=\(start)")
        case .topicEventsPattern:
            return try ProgramReader(
                broker, gets: "/v1/events?topic=\(what)&from=\(start)",
                accepting: "text/event-stream")
        case .pages: return PagesReader(broker, topic, from: start)
        case .client, .clientPattern: return try ClientReader(broker, what, from: start)
        case .command, .commandPattern:
            return try ProgramReader(broker, "subscribe", what, "--from", start, "--json")
        }
    }

    private static func subscribe(to what: String, _ name: String, _ value: String) -> String {
        #"{"type":"subscribe","id":1,"topic":"\#(what)","\#(name)":"\#(value)"}"#
    }

    private static func subscribe(to what: String, cursors: String) -> String {
        #"{"type":"subscribe","id":1,"topic":"\#(what)","cursors":\#(cursors)}"#
    }
}

/// Reads on one way; what it reads in short, as `told` says.
protocol StartReader: Sendable {
    /// Everything up to `live`, or to the end of the pages; or the code of the refusal alone.
    func begin() async throws -> [String]
    /// What comes next.
    func next(_ count: Int) async throws -> [String]
}

extension BrokerMessage {
    /// What tests of starts compare: topics by their last segment; `nil` for what does not count.
    fileprivate var told: String? {
        switch self {
        case .event(let message): "\(message.topic.short) \(message.event.offset)"
        case .gap(let gap): "gap \(gap.topic.short) \(gap.from)-\(gap.to) \(gap.reason)"
        case .reset(let reset):
            "reset \(reset.topic.short) \(reset.cursor.map { "\($0.offset)" } ?? "null") "
                + "\(reset.reason)"
        case .live: "live"
        case .error(let error): error.code
        default: nil
        }
    }
}

extension TopicName {
    fileprivate var short: Substring { text.split(separator: ".").last ?? "" }
}

extension StartReader {
    /// Takes what comes until nothing of the past is left.
    fileprivate func begin(_ next: () async throws -> String) async throws -> [String] {
        var told: [String] = []
        while true {
            let one = try await next()
            if one == "live" { return told }
            told.append(one)
            if !one.contains(" ") { return told }
        }
    }

    fileprivate func next(_ count: Int, _ next: () async throws -> String) async throws -> [String]
    {
        var told: [String] = []
        while told.count < count {
            let one = try await next()
            if one != "live" { told.append(one) }
        }
        return told
    }
}

/// A session, or a stream.
actor SocketReader: StartReader {
    private let broker: TestBroker
    private let path: String
    private let messages: [String]
    private var socket: TestSocket?

    init(_ broker: TestBroker, _ path: String = "/v1/connect", says messages: [String]) {
        self.broker = broker
        self.path = path
        self.messages = messages
    }

    func begin() async throws -> [String] {
        do {
            let socket = try await TestSocket.open(
                broker, path, subprotocols: [], token: broker.token)
            self.socket = socket
            for message in messages { socket.send(message) }
        } catch let refused as TestSocket.Refused {
            return [refused.answer.code ?? "no code"]
        }
        return try await begin(told)
    }

    func next(_ count: Int) async throws -> [String] { try await next(count, told) }

    private func told() async throws -> String {
        while true {
            guard let socket else { throw TimedOut(what: "the connection") }
            if let told = try await socket.message().told { return told }
        }
    }
}

/// Page after page, three events each.
actor PagesReader: StartReader {
    private let http: TestHTTP
    private let topic: String
    private var start: String
    private var waiting: [String] = []

    init(_ broker: TestBroker, _ topic: String, from start: String) {
        http = TestHTTP(broker)
        self.topic = topic
        self.start = start
    }

    func begin() async throws -> [String] {
        var told: [String] = []
        var isOver = false
        while !isOver {
            let answer = try await http.get("/v1/topics/\(topic)/events?from=\(start)&limit=3")
            guard answer.status == 200 else { return told + [answer.code ?? "no code"] }
            let page = try answer.fields()
            if let reset = page.object("reset") {
                let offset = reset.text("cursor")?.split(separator: "-").last ?? "null"
                let name = topic.split(separator: ".").last ?? ""
                told.append("reset \(name) \(offset) \(reset.text("reason") ?? "")")
            }
            for message in page.rawElements("gaps") + page.rawElements("events") {
                if let text = try BrokerMessage.decode(message)?.told { told.append(text) }
            }
            start = "after:\(page.text("cursor") ?? "")"
            isOver = page.flag("caught_up") ?? true
        }
        return told
    }

    func next(_ count: Int) async throws -> [String] {
        try await eventually("the next page") {
            waiting += try await begin()
            return waiting.count >= count
        }
        return waiting
    }
}

/// The Swift client.
actor ClientReader: StartReader {
    private let pattern: String
    private let start: String
    private let client: BrokerClient
    private var iterator: Subscription.Iterator?

    init(_ broker: TestBroker, _ pattern: String, from start: String) throws {
        self.pattern = pattern
        self.start = start
        client = try BrokerClient(
            ClientConfiguration(
                address: try BrokerAddress("https://127.0.0.1:\(broker.port)"),
                token: broker.token, caFile: broker.caFile))
    }

    func begin() async throws -> [String] {
        do {
            iterator = try client.subscribe(
                to: [pattern], from: start, options: SubscribeOptions(isBatched: true)
            ).makeAsyncIterator()
            return try await begin(told)
        } catch let error as SluiceError {
            return [error.code]
        }
    }

    func next(_ count: Int) async throws -> [String] { try await next(count, told) }

    private func told() async throws -> String {
        while true {
            var iterator = iterator
            let item = try await iterator?.next()
            self.iterator = iterator
            let message: [UInt8] =
                switch item {
                case .event(let event): event.message
                case .notice(_, let message): message ?? []
                case nil: []
                }
            if let told = try BrokerMessage.decode(message)?.told { return told }
        }
    }
}

/// A program that prints messages as lines.
actor ProgramReader: StartReader {
    private let run: SluiceRun
    /// What lines with messages begin with.
    private let mark: [UInt8]
    private var taken = 0

    init(_ broker: TestBroker, _ arguments: String...) throws {
        mark = []
        run = try SluiceRun(SluiceProgram(broker), arguments, input: [], environment: [:])
    }

    /// Over HTTP, as NDJSON or as server-sent events.
    init(
        _ broker: TestBroker, gets path: String,
        accepting type: String = "application/x-ndjson"
    ) throws {
        mark = type == "text/event-stream" ? Array("data: ".utf8) : []
        run = try SluiceRun(
            SluiceProgram(broker),
            [
                "-sN", "--cacert", broker.caFile, "-H", "Accept: \(type)", "-H",
                "Authorization: Bearer \(broker.token ?? "")",
                "https://127.0.0.1:\(broker.port)\(path)",
            ], input: [], environment: [:], executable: URL(filePath: "/usr/bin/curl"))
    }

    func begin() async throws -> [String] { try await begin(told) }

    func next(_ count: Int) async throws -> [String] { try await next(count, told) }

    private func told() async throws -> String {
        var told: String?
        try await eventually("the program's next line") {
            let isOver = !run.isRunning
            let output = run.output
            // The last part may not be whole yet.
            let lines: [ArraySlice<UInt8>] = output.split(
                separator: 0x0A, omittingEmptySubsequences: false
            ).dropLast()
            while taken < lines.count, told == nil {
                let line = lines[taken]
                taken += 1
                guard line.starts(with: mark) else { continue }
                told = try BrokerMessage.decode(Array(line.dropFirst(mark.count)))?.told
            }
            if told == nil, isOver {
                // A problem document has no line end; a command says in words why it is refused.
                told = (try? JSONFields(output))?.text("code") ?? "refused"
            }
            return told != nil
        }
        return told ?? ""
    }
}
