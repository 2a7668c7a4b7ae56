import FoundationEssentials
import SluiceClient
import Testing

@Suite("A subscriber's position") struct SubscriptionPositionTests {
    private var position = SubscriptionPosition()

    private mutating func received(_ messages: String...) -> Bool {
        messages.allSatisfy { position.received(Array($0.utf8)) }
    }

    private func moved(_ type: String, _ topic: String, _ cursor: String) -> String {
        #"{"type":"\#(type)","topic":"\#(topic)","cursor":\#(cursor),"reason":"recreated","#
            + #""from":1,"to":2,"offset":2,"time":"2026-01-01T00:00:00.000000Z","data":1}"#
    }

    @Test mutating func `is behind everything that was told of its topics`() {
        let subscribed =
            #"{"type":"subscribed","id":1,"topics":{"a":{"cursor":"k3f91-7","earliest":1,"#
            + #""latest":9},"b":{"cursor":null,"earliest":1,"latest":0}},"#
            + #""resume_from":"mark:latest.memory0001.hefg7e3rpc"}"#
        #expect(received(subscribed))
        #expect(
            position
                == SubscriptionPosition(
                    start: "mark:latest.memory0001.hefg7e3rpc", cursors: ["a": "k3f91-7"]))
        #expect(
            received(
                moved("event", "a", #""k3f91-2""#), moved("gap", "b", #""k3f92-2""#),
                moved("reset", "c", #""k3f93-0""#), #"{"type":"live","id":1}"#,
                #"{"type":"of a later version"}"#))
        #expect(position.cursors == ["a": "k3f91-2", "b": "k3f92-2", "c": "k3f93-0"])
        #expect(received(moved("reset", "c", "null")))
        #expect(position.cursors["c"] == nil)
    }

    @Test mutating func `is not moved by what is no message`() {
        #expect(!received(#"{"type":"event","topic":"a","off"#))
        #expect(position == SubscriptionPosition())
    }

    private static let mark = "mark:latest.memory0001.hefg7e3rpc"

    @Test(arguments: [
        SubscriptionPosition(), SubscriptionPosition(start: mark),
        SubscriptionPosition(start: mark, cursors: ["a.b": "k3f91-7", "a": "k3f91-8"]),
    ])
    func `can be stored as a text`(position: SubscriptionPosition) throws {
        #expect(try SubscriptionPosition(text: position.text) == position)
        let text = try JSONEncoder().encode(position)
        #expect(try JSONDecoder().decode(SubscriptionPosition.self, from: text) == position)
        // The text is what JSONEncoder would make of it, so either may be read by the other.
        #expect(
            try JSONDecoder().decode(SubscriptionPosition.self, from: Data(position.text.utf8))
                == position)
    }

    @Test func `has its topics in order as a text`() {
        let position = SubscriptionPosition(cursors: ["b": "k3f91-7", "a": "k3f91-8"])
        #expect(position.text == #"{"cursors":{"a":"k3f91-8","b":"k3f91-7"}}"#)
    }

    @Test(arguments: ["", "[]", #"{"cursors":[]}"#, #"{"cursors":{"a":1}}"#, #"{"start":1}"#])
    func `is not read from other texts`(text: String) {
        let error = #expect(throws: SluiceError.self) { try SubscriptionPosition(text: text) }
        #expect(error?.code == "invalid_request")
    }

    @Test mutating func `moves behind items, too, decoded or not`() throws {
        let event = ReceivedEvent(
            topic: "a", offset: 2, cursor: "k3f91-2", time: "", data: [0x31], message: [])
        position.received(.event(event))
        #expect(position.cursors == ["a": "k3f91-2"])
        let gap = Array(moved("gap", "a", #""k3f91-9""#).utf8)
        let notice = SubscriptionNotice.gap(topic: "a", from: 3, to: 9, reason: "purged")
        position.received(.notice(notice, message: gap))
        #expect(position.cursors == ["a": "k3f91-9"])
        position.received(
            DecodedItem<Int>.event(DecodedEvent(event) { _ in throw TimedOut(what: "") }))
        #expect(position.cursors == ["a": "k3f91-2"])
    }
}
