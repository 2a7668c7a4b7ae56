import EventModel
import FoundationEssentials
import SluiceClient
import Testing

@testable import TopicCommands

@Suite("A line of NDJSON to publish") struct PublishLineTests {
    private func event(_ line: String, topic: String? = nil, key: String? = nil) throws
        -> OutgoingEvent?
    {
        try PublishLine(topic: topic, key: key).event(Array(line.utf8))
    }

    @Test(arguments: [
        #"{"a": 1.0,  "b":"é\ud800"}"#, "12345678901234567890.10", #""text""#, "null", "[1 ,2]",
        #"{"topic":"other","data":1}"#,
    ]) func `with a topic is a bare value, kept byte for byte`(line: String) throws {
        let event = try event(" \(line)\t", topic: "a.b", key: "k")
        #expect(event == OutgoingEvent(topic: "a.b", data: Array(line.utf8), key: "k"))
    }

    @Test func `without a topic is an object with topic and data`() throws {
        let line =
            #"{"key":"k","data" : {"n":1.50 } , "topic":"a.b","event_id":"e","attributes":{"x":"y"}}"#
        #expect(
            try event(line)
                == OutgoingEvent(
                    topic: "a.b", data: Array(#"{"n":1.50 }"#.utf8), key: "k", eventID: "e",
                    attributes: Array(#"{"x":"y"}"#.utf8)))
    }

    @Test func `may call its data 'event', as recorded webhooks do`() throws {
        let event = try event(#"{"topic":"github.push","event":{"ref":"refs/heads/main"}}"#)
        #expect(event?.topic == "github.push")
        #expect(event?.data == Array(#"{"ref":"refs/heads/main"}"#.utf8))
    }

    @Test func `that 'subscribe --json' printed is published again without what the broker added`()
        throws
    {
        let line =
            #"{"type":"event","topic":"a.b","offset":7,"cursor":"k3f9-7","#
            + #""time":"2026-01-01T00:00:00.000000Z","key":"k","data":[1, 2]}"#
        #expect(
            try event(line) == OutgoingEvent(topic: "a.b", data: Array("[1, 2]".utf8), key: "k"))
    }

    @Test(arguments: [
        "", "  \t", "\r", #"{"type":"live","id":1}"#,
        #"{"type":"gap","topic":"a","from":1,"to":2,"cursor":"k-2","reason":"purged"}"#,
    ]) func `that holds no event is passed over`(line: String) throws {
        #expect(try event(line) == nil)
    }

    private static let wrongLines: [(line: String, part: String)] = [
        (#"{"data":1}"#, "'topic' is missing"), (#"{"topic":"a"}"#, "'data' is missing"),
        (#"{"topic":"a","data":1,"event":2}"#, "'data' and 'event' are both there"),
        (#"{"topic":"a","data":1,"kye":"k"}"#, "There is no field 'kye'"),
        (#"{"topic":"a","data":1,"key":7}"#, "'key' must be a string"),
        (#"{"topic":"a","data":1,"key":null}"#, "'key' must be a string"),
        (#"{"topic":"a","data":1,"event_id":["e"]}"#, "'event_id' must be a string"),
        (#"{"topic":1,"data":1}"#, "'topic' must be a string"),
        (#"{"topic":"a","data":1,"data":2}"#, "'data' is there twice"),
        (#"{"topic":"a..b","data":1}"#, "empty segment"), ("[1]", "expected an object"),
        (#"{"topic":"a","data":tru}"#, "expected 'true'"), ("{", "At byte 1"),
    ]

    @Test(arguments: wrongLines)
    func `that is wrong is refused with what is wrong`(line: String, part: String) {
        let error = #expect(throws: SluiceError.self) { try event(line) }
        #expect(error?.message.contains(part) == true, "\(error?.message ?? "")")
    }

    @Test(arguments: ["key", "event_id"])
    func `that is wrong is told with its number and the field, and nothing is published`(
        field: String
    ) async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "lines-\(field).ndjson")
        try Data("\n{\"topic\":\"a\",\"data\":1,\"\(field)\":7}\n".utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let address = try BrokerAddress("http://127.0.0.1:1")
        var upload = LineUpload(
            client: try BrokerClient(ClientConfiguration(address: address)), patience: .zero,
            printsJSON: false
        ) { line throws(SluiceError) in try PublishLine().event(line) }
        let failure = await #expect(throws: CommandFailure.self) {
            try await upload.run(try InputFile(path: file.path))
        }
        let message = try #require(failure?.message)
        #expect(message.hasPrefix("Line 2: "), "\(message)")
        #expect(message.contains("'\(field)' must be a string"), "\(message)")
    }
}

@Suite("Bytes that arrive in pieces") struct LineSplitterTests {
    @Test func `become the same lines wherever they are cut`() {
        let text = Array("one\ntwo\r\n\nthrée\nlast".utf8)
        let whole: [[UInt8]] = ["one", "two", "", "thrée", "last"].map { Array($0.utf8) }
        for cut in 0...text.count {
            var splitter = LineSplitter()
            var lines = splitter.take(Array(text[..<cut])) + splitter.take(Array(text[cut...]))
            if let last = splitter.finish() { lines.append(last) }
            #expect(lines == whole, "cut at \(cut)")
        }
    }
}

@Suite("A request of many events") struct PublishBatchTests {
    private func event(_ bytes: Int = 1, id: String? = nil) -> OutgoingEvent {
        OutgoingEvent(
            topic: "a", data: [UInt8](repeating: 0x31, count: bytes), eventID: id)
    }

    @Test func `takes as many events as one commit`() {
        var batch = PublishBatch()
        while batch.takes(event()) { batch.append(event()) }
        #expect(batch.events.count == 500)
    }

    @Test func `takes as many bytes as one commit, and one larger event alone`() {
        var batch = PublishBatch()
        #expect(batch.takes(event(2 << 20)))
        batch.append(event(2 << 20))
        #expect(!batch.takes(event()))
    }

    @Test func `does not mix events with ids and events without`() {
        var batch = PublishBatch()
        batch.append(event(id: "e1"))
        #expect(batch.takes(event(id: "e2")))
        #expect(!batch.takes(event()))
    }
}
