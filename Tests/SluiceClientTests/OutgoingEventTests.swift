import Testing

@testable import SluiceClient

@Suite("An event to publish") struct OutgoingEventTests {
    private func line(_ event: OutgoingEvent) -> String {
        var bytes: [UInt8] = []
        event.appendLine(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func `becomes a line with its data last and untouched`() {
        let event = OutgoingEvent(
            topic: "a.b", data: Array(#"{"n": 1.50e+3,"s":"\ud800é"}"#.utf8), key: "k\"1",
            eventID: "e", attributes: Array(#"{"x":"y"}"#.utf8))
        #expect(
            line(event) == #"{"topic":"a.b","key":"k\"1","event_id":"e","attributes":{"x":"y"},"#
                + #""data":{"n": 1.50e+3,"s":"\ud800é"}}"# + "\n")
    }

    @Test func `keeps to one line whatever line ends its data has`() {
        let text = line(OutgoingEvent(topic: "a", data: Array("[1,\r\n 2]".utf8)))
        #expect(text == "{\"topic\":\"a\",\"data\":[1,   2]}\n")
    }

    @Test func `is checked as the broker would`() throws {
        let event = OutgoingEvent(topic: "a", data: Array("\n 1 ".utf8))
        #expect(try event.checked().data == Array("1".utf8))
        let bad = OutgoingEvent(topic: "a", data: Array("{'a':1}".utf8))
        let error = #expect(throws: SluiceError.self) { try bad.checked() }
        #expect(error?.code == "invalid_json")
        #expect(error?.message.contains("byte 1") == true)
    }

    private static let wrongEvents: [(event: OutgoingEvent, code: String)] = [
        (OutgoingEvent(topic: "a", data: Array(#"1,"event_id":"x""#.utf8)), "invalid_json"),
        (OutgoingEvent(topic: "a", data: []), "invalid_json"),
        (OutgoingEvent(topic: "a", data: [0x22, 0xFF, 0x22]), "invalid_utf8"),
        (OutgoingEvent(topic: "a..b", data: [0x31]), "invalid_topic"),
        (OutgoingEvent(topic: "sluice.a", data: [0x31]), "forbidden"),
        (OutgoingEvent(topic: "a", data: [0x31], key: ""), "invalid_request"),
        (OutgoingEvent(topic: "a", data: [0x31], eventID: "a\u{0}"), "invalid_request"),
        (attributes(#"{"x":"y"},"key":"z""#), "invalid_json"),
        (attributes(#"{"x":1}"#), "invalid_request"), (attributes("[]"), "invalid_request"),
        (attributes(#"{"x":"y","x":"z"}"#), "unknown_field"),
    ]

    private static func attributes(_ text: String) -> OutgoingEvent {
        OutgoingEvent(topic: "a", data: [0x31], attributes: Array(text.utf8))
    }

    @Test(arguments: wrongEvents) func `is refused for each member as the broker would`(
        event: OutgoingEvent, code: String
    ) {
        let error = #expect(throws: SluiceError.self) { try event.checked() }
        #expect(error?.code == code)
    }

    @Test func `among several is named by its place`() async throws {
        let client = try BrokerClient(
            ClientConfiguration(address: try BrokerAddress("http://127.0.0.1:1")))
        let good = OutgoingEvent(topic: "a", data: [0x31])
        let error = await #expect(throws: SluiceError.self) {
            try await client.publish([good, Self.wrongEvents[0].event])
        }
        #expect(error?.code == "invalid_json")
        #expect(error?.message.hasPrefix("Event 2 of 2: ") == true)
    }

    @Test func `says key and id in header fields only where these can hold them`() {
        let plain = OutgoingEvent(topic: "a", data: [0x31], key: "k-1", eventID: "e/1")
        #expect(
            plain.headers?.map { "\($0): \($1)" } == ["Sluice-Key: k-1", "Sluice-Event-Id: e/1"])
        #expect(OutgoingEvent(topic: "a", data: [0x31], key: "clé").headers == nil)
        #expect(OutgoingEvent(topic: "a", data: [0x31], key: " k").headers == nil)
        #expect(OutgoingEvent(topic: "a", data: [0x31], attributes: [0x7B, 0x7D]).headers == nil)
    }
}
