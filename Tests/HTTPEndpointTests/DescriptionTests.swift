import EventModel
import NIOCore
import NIOHTTP1
import Testing
import Transport

@testable import HTTPEndpoint

@Suite("The descriptions of the interface") struct DescriptionTests {
    private let fixture = BrokerFixture(tokens: ScriptedTokens())

    private func document(_ path: String) async throws -> ObjectReader {
        let answer = try await fixture.ask(.GET, path)
        #expect(answer.status == 200 && answer.headers.contains("content-type: application/json"))
        var reader = ObjectReader(Array(answer.body.utf8))
        try reader.read(membersMax: 100)
        return reader
    }

    @Test(arguments: ["/openapi.json", "/asyncapi.json"])
    func `are for everybody, and not sent again to who has them`(path: String) async throws {
        let first = try await fixture.ask(.GET, path)
        #expect(first.status == 200 && first.headers.contains("cache-control: max-age=300"))
        let tag = try #require(first.headers.first { $0.hasPrefix("etag: ") }?.dropFirst(6))
        let again = try await fixture.ask(.GET, path, ["if-none-match": String(tag)])
        #expect(again.status == 304 && again.body.isEmpty)
        #expect(try await fixture.ask(.GET, path).body == first.body)
    }

    @Test func `have every route, with its parameters and codes`() async throws {
        let reader = try await document("/openapi.json")
        #expect(try reader.string("openapi") == "3.1.0")
        let paths = try #require(try reader.object("paths"))
        let routes = HTTPBroker.test(ScriptedLog()).routes
        #expect(routes.count >= 16)
        for route in routes {
            let path = try #require(try paths.object(route.path), "\(route.path)")
            let method = route.method.rawValue.lowercased()
            let operation = try #require(try path.object(method), "\(method) \(route.path)")
            #expect(try operation.string("summary") == route.summary)
            let text = String(decoding: operation.text("parameters") ?? [], as: UTF8.self)
            for name in route.query.names.union(route.pathParameters.map(\.name)) {
                #expect(text.contains(#""name":"\#(name)""#), "\(route.path) \(name)")
            }
            let responses = try #require(try operation.object("responses"))
            for code in route.errorCodes {
                let status = try #require(try responses.object("\(code.httpStatus)"))
                let said = String(decoding: status.text("content") ?? [], as: UTF8.self)
                #expect(said.contains(#""\#(code.rawValue)""#), "\(route.path) \(code)")
            }
        }
    }

    @Test func `say of every route's query what it means`() {
        for route in HTTPBroker.test(ScriptedLog()).routes {
            for member in route.query.members + route.webSocketQuery.members {
                #expect(!member.text.isEmpty, "\(route.path) \(member.name)")
            }
            #expect(!route.summary.isEmpty && !route.results.isEmpty)
        }
    }

    @Test func `have the members that documents are written with`() throws {
        func names(_ text: [UInt8]) throws -> [String] {
            var names: [String] = []
            var scanner = JSONScanner(text)
            scanner.skipSpace()
            try scanner.object { (scanner, key) throws(BrokerError) in
                names.append(try scanner.text(of: key, field: ""))
                _ = try scanner.value()
            }
            return names
        }
        let topic = TopicDescription(
            position: TopicPosition(
                topic: try TopicName("a"), epoch: ScriptedLog.epoch, earliest: 1, latest: 0),
            settings: TopicSettings(), revision: 1, bytes: 0, created: ScriptedLog.time)
        #expect(try names(TopicDocument.encode(topic)) == DocumentSchemas.topic.names)
        let page = EventPageDocument(
            page: EventPage(position: topic.position, purgedBelow: 1, events: []), seen: nil,
            start: PageStart(after: 0))
        #expect(try names(page.encode()) == DocumentSchemas.page.names)
        let receipt = AppendReceipt(
            topic: topic.position.topic, epoch: ScriptedLog.epoch, first: 1, last: 1,
            time: ScriptedLog.time, isRepeat: false)
        let published = try #require(PublishAnswers.one(receipt).body)
        #expect(
            try names(Array(published.readableBytesView)) == DocumentSchemas.published.names)
        let entry = try #require(try ErrorCatalogue.entry("internal").body)
        #expect(try names(Array(entry.readableBytesView)) == DocumentSchemas.errorEntry.names)
        let problem = try names(ProblemDocument.example(of: .invalidJSON).body)
        #expect(problem == DocumentSchemas.problem.names.filter(problem.contains))
        #expect(
            problem.count == DocumentSchemas.problem.members.count { $0.isRequired } + 1)
    }

    @Test func `tell of both channels what is said there`() async throws {
        let reader = try await document("/asyncapi.json")
        let channels = try #require(try reader.object("channels"))
        let session = try #require(try channels.object("session"))
        #expect(try session.string("address") == "/v1/connect")
        let stream = try #require(try channels.object("stream"))
        #expect(try stream.string("address") == "/v1/topics/{topic}/events")
        let said = try #require(try stream.object("messages"))
        #expect(said.value("stream_credit") != nil && said.value("stream_publish") == nil)
        #expect(said.value("broker_gap") != nil && said.value("broker_welcome") == nil)
        let codes = String(decoding: reader.text("x-close-codes") ?? [], as: UTF8.self)
        #expect(codes.contains(#"{"code":4201,"name":"token_revoked","#))
    }
}
