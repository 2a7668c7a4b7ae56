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
}
