import Testing

@testable import SluiceClient

@Suite("The settings of a topic") struct TopicOptionsTests {
    @Test func `that are not given are not sent`() throws {
        #expect(String(decoding: try TopicOptions().body(), as: UTF8.self) == "{}")
        #expect(TopicOptions().isEmpty)
    }

    @Test func `are sent as the protocol wants them`() throws {
        let topic = TopicOptions(
            retainAge: "7d", retainCount: "unlimited", retainBytes: "1GiB", eventBytes: "64KiB",
            overflow: "drop_oldest", description: "a \"b\"")
        #expect(
            String(decoding: try topic.body(), as: UTF8.self)
                == #"{"retain":{"age":"7d","count":"unlimited","bytes":1073741824},"#
                + #""event_bytes":65536,"overflow":"drop_oldest","description":"a \"b\""}"#)
    }

    @Test func `go back to the server's default`() throws {
        let topic = TopicOptions(
            retainAge: "default", eventBytes: "default", overflow: "default", description: "")
        #expect(
            String(decoding: try topic.body(), as: UTF8.self)
                == #"{"retain":{"age":null},"event_bytes":null,"overflow":null,"description":""}"#)
    }

    @Test(arguments: [
        TopicOptions(retainAge: "7"), TopicOptions(retainCount: "0"),
        TopicOptions(retainCount: "many"), TopicOptions(retainBytes: "1GB"),
        TopicOptions(eventBytes: "unlimited"), TopicOptions(overflow: "wait"),
    ]) func `that can't be read are refused`(topic: TopicOptions) {
        let error = #expect(throws: SluiceError.self) { try topic.body() }
        #expect(error?.kind == .invalid)
    }
}
