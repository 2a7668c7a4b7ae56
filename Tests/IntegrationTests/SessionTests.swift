import RepeatableChance
import EventModel
import SessionProtocol
import SluiceClient
import Testing
import WebSocketCodec

extension EndToEnd {
    @Suite("A session") struct SessionTests {
        private let broker: TestBroker
        private let http: TestHTTP

        init() async throws {
            broker = try await TestBroker.shared
            http = TestHTTP(broker)
        }

        /// Subscribes, and gives the answer.
        private func subscribe(
            _ session: TestSocket, _ fields: String, id: Int = 1
        ) async throws -> BrokerMessage {
            session.send(#"{"type":"subscribe","id":\#(id),\#(fields)}"#)
            return try await session.message()
        }

        @Test func `begins with welcome, which tells the limits`() async throws {
            let session = try await TestSocket.open(broker, token: broker.token)
            #expect(session.subprotocol == "sluice.v1")
            guard case .welcome(let welcome) = try await session.message() else {
                throw TimedOut(what: "welcome")
            }
            #expect(welcome.heartbeat == .seconds(20))
            #expect(welcome.eventBytes == 1 << 20)
            #expect(welcome.messageBytes == 2 << 20)
            #expect(welcome.session.hasPrefix("s_"))
        }

        @Test func `gets events of exact topics, patterns and lists, each once`() async throws {
            let base = freshTopic("orders")
            try await http.publish("\(base).eu", numbers: 1...2)
            let session = try await TestSocket.session(broker)
            let answer = try await subscribe(
                session, #""topics":["\#(base).eu","\#(base).*","\#(base).us.>"],"from":"earliest""#
            )
            guard case .subscribed(let subscribed) = answer else {
                throw TimedOut(what: "subscribed, not \(answer)")
            }
            #expect(subscribed.topics.map(\.topic.text) == ["\(base).eu"])
            #expect(subscribed.topics[0].latest == 2)
            #expect(subscribed.topics[0].earliest == 1)
            #expect(try await session.data(2) == ["1", "2"])
            try await http.publish("\(base).eu", numbers: 3...3)
            #expect(try await session.data(1) == ["3"])
            try await http.publish("\(base).us.ny", numbers: 4...4)
            #expect(try await session.data(1) == ["4"])
            try await http.publish("\(base).asia", numbers: 5...5)
            #expect(try await session.data(1) == ["5"])
            session.send(#"{"type":"ping","id":9}"#)
            guard
                case .pong(id: 9, _) = try await session.messages(through: {
                    if case .pong = $0 { true } else { false }
                }).last
            else { throw TimedOut(what: "pong") }
        }

        @Test(
            arguments: [
                ("latest", []), ("earliest", ["1", "2", "3", "4"]), ("last:2", ["3", "4"]),
                ("last:99", ["1", "2", "3", "4"]), ("offset:2", ["2", "3", "4"]),
                ("offset:5", []), ("ago:1h", ["1", "2", "3", "4"]),
                ("time:2020-01-01T00:00:00Z", ["1", "2", "3", "4"]),
            ] as [(String, [String])])
        func `starts where it is told`(start: String, expected: [String]) async throws {
            let topic = freshTopic()
            try await http.publish(topic, numbers: 1...4)
            let session = try await TestSocket.session(broker)
            let answer = try await subscribe(session, #""topic":"\#(topic)","from":"\#(start)""#)
            guard case .subscribed = answer else { throw TimedOut(what: "subscribed: \(answer)") }
            #expect(try await session.data(expected.count) == expected)
            #expect(try await session.message() == .live(id: 1))
            try await http.publish(topic, numbers: 5...5)
            #expect(try await session.data(1) == ["5"])
        }

        @Test func `starts between two events at the second one's time`() async throws {
            let topic = freshTopic()
            try await http.publish(topic, numbers: 1...1)
            let second = try await http.publish(topic, "2")
            let time = try #require(try second.fields().text("time"))
            let session = try await TestSocket.session(broker)
            _ = try await subscribe(session, #""topic":"\#(topic)","from":"time:\#(time)""#)
            #expect(try await session.data(1) == ["2"])
        }

        @Test func `goes on behind a cursor, as start and as one of several`() async throws {
            let (a, b) = (freshTopic("a"), freshTopic("b"))
            let cursor = try await http.publish(a, "1").fields().text("cursor") ?? ""
            try await http.publish(a, numbers: 2...3)
            try await http.publish(b, numbers: 1...3)
            let session = try await TestSocket.session(broker)
            let answer = try await subscribe(session, #""topic":"\#(a)","from":"after:\#(cursor)""#)
            guard case .subscribed(let subscribed) = answer else {
                throw TimedOut(what: "subscribed: \(answer)")
            }
            #expect(subscribed.topics[0].cursor?.description == cursor)
            #expect(try await session.data(2) == ["2", "3"])
            let other = try await TestSocket.session(broker)
            _ = try await subscribe(
                other,
                #""topics":["\#(a)","\#(b)"],"from":"last:1","cursors":{"\#(a)":"\#(cursor)"}"#)
            let events = try await other.events(3)
            #expect(events.filter { $0.topic.text == a }.map(\.event.offset) == [2, 3])
            #expect(events.filter { $0.topic.text == b }.map(\.event.offset) == [3])
        }

        @Test func `is told reset for a cursor that the log never gave`() async throws {
            let topic = freshTopic()
            let cursor = try await http.publish(topic, "1").fields().text("cursor") ?? ""
            let session = try await TestSocket.session(broker)
            let beyond = cursor.dropLast() + "9"
            _ = try await subscribe(
                session, #""topic":"\#(topic)","cursors":{"\#(topic)":"\#(beyond)"}"#)
            let messages = try await session.messages { $0 == .live(id: 1) }
            guard case .reset(let reset) = messages.first else {
                throw TimedOut(what: "reset, not \(messages)")
            }
            #expect(reset.cursor?.offset == 1)
        }

        @Test(arguments: [
            ("exact", ".new"), ("pattern", ".*"), ("deep pattern", ".>"),
        ])
        func `gets a topic that does not exist yet from its first event`(
            kind: String, suffix: String
        ) async throws {
            let base = freshTopic("future")
            let session = try await TestSocket.session(broker)
            let answer = try await subscribe(session, #""topic":"\#(base)\#(suffix)""#)
            guard case .subscribed(let subscribed) = answer else {
                throw TimedOut(what: "subscribed: \(answer)")
            }
            #expect(subscribed.topics.map(\.cursor) == (kind == "exact" ? [nil] : []))
            #expect(try await session.message() == .live(id: 1))
            try await http.publish(base + ".new", numbers: 1...3)
            let events = try await session.events(3)
            #expect(events.map(\.event.offset) == [1, 2, 3])
        }

        @Test func `refuses a second subscription of the same topic, naming the first`()
            async throws
        {
            let base = freshTopic()
            let session = try await TestSocket.session(broker)
            _ = try await subscribe(session, #""topic":"\#(base).*""#, id: 7)
            #expect(try await session.message() == .live(id: 7))
            session.send(#"{"type":"subscribe","id":8,"topic":"\#(base).eu"}"#)
            let error = try await session.error()
            #expect(error.code == "overlap")
            #expect(error.id == 8)
            #expect(error.message.contains("7"))
            #expect(error.message.contains("\(base).*"))
        }

        @Test func `gets nothing after unsubscribed, and may subscribe anew`() async throws {
            let topic = freshTopic()
            let session = try await TestSocket.session(broker)
            _ = try await subscribe(session, #""topic":"\#(topic)""#)
            #expect(try await session.message() == .live(id: 1))
            session.send(#"{"type":"unsubscribe","id":1}"#)
            #expect(try await session.message() == .unsubscribed(id: 1))
            try await http.publish(topic, numbers: 1...1)
            session.send(#"{"type":"ping","id":2}"#)
            guard case .pong = try await session.message() else { throw TimedOut(what: "pong") }
            _ = try await subscribe(session, #""topic":"\#(topic)","from":"earliest""#)
            #expect(try await session.data(1) == ["1"])
        }

        @Test func `publishes, in order, and is told where`() async throws {
            let topic = freshTopic()
            let session = try await TestSocket.session(broker)
            _ = try await subscribe(session, #""topic":"\#(topic)""#)
            #expect(try await session.message() == .live(id: 1))
            for id in 1...20 {
                session.send(
                    #"{"type":"publish","id":\#(id),"topic":"\#(topic)","data":{"n":\#(id)}}"#)
            }
            var published: [Int64: Offset] = [:]
            var events: [EventMessage] = []
            while published.count < 20 || events.count < 20 {
                switch try await session.message() {
                case .published(let answer): published[answer.id] = answer.cursor.offset
                case .event(let event): events.append(event)
                case let other: Issue.record("\(other)")
                }
            }
            #expect((1...20).allSatisfy { published[$0] == $0 })
            #expect(
                events.map(\.event.content.data.text) == (1...20).map { #"{"n":\#($0)}"# })
        }

        @Test func `publishes on the condition of the head, and once per event id`() async throws {
            let topic = freshTopic()
            let head = try await http.publish(topic, "1").fields().text("cursor") ?? ""
            let session = try await TestSocket.session(broker)
            let publish = { (id: Int, rest: String) in
                session.send(#"{"type":"publish","id":\#(id),"topic":"\#(topic)",\#(rest)}"#)
            }
            publish(1, #""data":2,"if_head":"\#(head)","event_id":"x""#)
            guard case .published(let first) = try await session.message() else {
                throw TimedOut(what: "published")
            }
            #expect(first.cursor.offset == 2)
            publish(2, #""data":3,"if_head":"\#(head)""#)
            #expect(try await session.error().code == "head_moved")
            publish(3, #""data":2,"event_id":"x""#)
            guard case .published(let again) = try await session.message() else {
                throw TimedOut(what: "published")
            }
            #expect(again.isRepeat)
            #expect(again.cursor == first.cursor)
            publish(4, #""data":4,"event_id":"x""#)
            #expect(try await session.error().code == "idempotency_conflict")
        }

        @Test(arguments: [
            (#"{"type":"subscribe","id":1,"topic":"a","colour":"red"}"#, "unknown_field"),
            (#"{"type":"subscribe","id":1,"topic":"a","topic":"b"}"#, "unknown_field"),
            (#"{"type":"subscribe","id":1,"topic":"a..b"}"#, "invalid_pattern"),
            (#"{"type":"subscribe","id":1,"topic":"a","from":"yesterday"}"#, "invalid_start"),
            (#"{"type":"subscribe","id":1,"topic":"a.*","from":"offset:3"}"#, "invalid_start"),
            (#"{"type":"subscribe","topic":"a"}"#, "invalid_request"),
            (#"{"type":"subscribe","id":1,"topic":"a","cursors":{"b":"k-1"}}"#, "invalid_request"),
            (#"{"type":"publish","id":1,"topic":"a.>","data":1}"#, "invalid_topic"),
            (#"{"type":"publish","id":1,"topic":"sluice.x","data":1}"#, "forbidden"),
            (#"{"type":"unsubscribe","id":5}"#, "invalid_request"),
            (#"{"type":"dance","id":5}"#, "invalid_request"),
            (#"{"type":"ping","id":1"#, "invalid_json"),
            (#"[]"#, "invalid_json"),
        ])
        func `answers what is wrong, and goes on`(message: String, code: String) async throws {
            let session = try await TestSocket.session(broker)
            session.send(message)
            let error = try await session.error()
            #expect(error.code == code, "\(error)")
            #expect(!error.remedy.isEmpty)
            session.send(#"{"type":"ping","id":2}"#)
            guard case .pong = try await session.message() else { throw TimedOut(what: "pong") }
        }

        @Test func `refuses an event over the limit, and takes one that just fits`() async throws {
            var random = SeededGenerator()
            let topic = freshTopic()
            let session = try await TestSocket.session(broker)
            for (id, bytes) in [(1, (1 << 20) + 1), (2, 1 << 20)] {
                let data = SampleEvents.text(bytes: bytes, using: &random).text
                session.send(
                    #"{"type":"publish","id":\#(id),"topic":"\#(topic)","data":\#(data)}"#)
            }
            let error = try await session.error()
            #expect(error.code == "event_too_large")
            #expect(error.id == 1)
            guard case .published(let published) = try await session.message() else {
                throw TimedOut(what: "published")
            }
            #expect(published.id == 2)
        }

        @Test func `refuses an offset beyond the next one`() async throws {
            let topic = freshTopic()
            try await http.publish(topic, numbers: 1...3)
            let session = try await TestSocket.session(broker)
            session.send(#"{"type":"subscribe","id":1,"topic":"\#(topic)","from":"offset:5"}"#)
            let error = try await session.error()
            #expect(error.code == "invalid_start")
            #expect(error.message.contains("3"))
        }

        @Test func `answers the close frame with the same code, and ends`() async throws {
            let session = try await TestSocket.session(broker)
            session.send(frame: .close, [0x03, 0xE8])
            #expect(try await session.close().code == 1000)
            guard case .ended = try await session.next() else { throw TimedOut(what: "the end") }
        }
    }
}

extension TestSocket {
    /// The next message, which is an error.
    func error() async throws -> ErrorMessage {
        let message = try await message()
        guard case .error(let error) = message else {
            throw TimedOut(what: "an error, not \(message),")
        }
        return error
    }
}
