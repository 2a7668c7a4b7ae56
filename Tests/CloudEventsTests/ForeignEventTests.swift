import EventModel
import SessionProtocol
import Testing

@testable import CloudEvents

@Suite("An event that was no CloudEvent") struct ForeignEventTests {
    private static let head =
        #"{"specversion":"1.0","id":"k3f91-7","source":"/v1/topics/orders.eu","#
        + #""type":"sluice.event","time":"1970-01-01T00:00:01.000001Z","#
        + #""datacontenttype":"application/json","#

    @Test func `is one of its topic's, with its cursor as id`() throws {
        let out = try encoded(NewEvent(data: utf8("[ 1.0 ]")), topic: "orders.eu")
        #expect(out == Self.head + #""sluicecursor":"k3f91-7","data":[ 1.0 ]}"#)
    }

    @Test func `tells its key, its id, and those attributes that have a name for it`() throws {
        let event = NewEvent(
            data: utf8("1"), key: "k", eventID: "e",
            attributes: utf8(
                #"{"region":"eu","My-Ext":"x","id":"no","time":"no","line":"a\nb","traceparent":"t"}"#
            ))
        #expect(
            try encoded(event, topic: "orders.eu") == Self.head
                + #""partitionkey":"k","sluiceeventid":"e","region":"eu","traceparent":"t","#
                + #""sluicecursor":"k3f91-7","data":1}"#)
    }

    @Test func `is a CloudEvent by its attributes, if they are those of one`() throws {
        let attributes =
            #"{"specversion":"1.0","source":"/s","type":"t","sluice.types":"n:integer","n":"x"}"#
        let event = NewEvent(data: utf8("1"), eventID: "e", attributes: utf8(attributes))
        #expect(
            try encoded(event)
                == #"{"specversion":"1.0","id":"e","source":"/s","type":"t","n":"x","#
                + #""sluicecursor":"k3f91-7","data":1}"#)
        for broken in [
            #"{"specversion":"1.0","source":"/s"}"#,
            #"{"specversion":"0.3","source":"/s","type":"t"}"#,
            #"{"specversion":"1.0","source":"/s","type":"t","time":"now"}"#,
            #"{"specversion":"1.0","source":"/s","type":"t","id":"x"}"#,
            #"{"specversion":"1.0","source":"/s","type":"t","My-Ext":"x"}"#,
        ] {
            let event = NewEvent(data: utf8("1"), eventID: "e", attributes: utf8(broken))
            #expect(try encoded(event).contains(#""type":"sluice.event""#))
        }
        let nameless = NewEvent(data: utf8("1"), attributes: utf8(attributes))
        #expect(try encoded(nameless).contains(#""type":"sluice.event""#))
    }

    @Test func `loses nothing to marks that are not so`() throws {
        for mark in ["base64", "none", "other"] {
            let event = NewEvent(
                data: utf8("[1]"), eventID: "e",
                attributes: utf8(
                    #"{"specversion":"1.0","source":"/s","type":"t","sluice.data":"\#(mark)"}"#))
            #expect(try encoded(event).hasSuffix(#""data":[1]}"#))
        }
    }

    @Test func `is told of gaps and resets as events`() throws {
        let topic = try TopicName("a")
        let epoch = try #require(Epoch("k3f91"))
        let now = Timestamp(microseconds: 1_000_001)
        let gap = BrokerMessage.gap(
            .init(topic: topic, epoch: epoch, from: 3, to: 5, reason: .retention))
        #expect(
            text(CloudEventMessage.encode(gap, now: now))
                == #"{"specversion":"1.0","id":"gap:k3f91-3-5","source":"/v1/topics/a","#
                + #""type":"sluice.gap","time":"1970-01-01T00:00:01.000001Z","#
                + #""datacontenttype":"application/json","sluicecursor":"k3f91-5","data":"#
                + #"{"type":"gap","topic":"a","from":3,"to":5,"cursor":"k3f91-5","#
                + #""reason":"retention"}}"#)
        let reset = BrokerMessage.reset(
            .init(topic: topic, cursor: Cursor(epoch: epoch, offset: 0), reason: .recreated))
        #expect(
            text(CloudEventMessage.encode(reset, now: now))?.hasPrefix(
                #"{"specversion":"1.0","id":"reset:k3f91-0","source":"/v1/topics/a","#
                    + #""type":"sluice.reset","#) == true)
        let deleted = BrokerMessage.reset(.init(topic: topic, cursor: nil, reason: .deleted))
        #expect(
            text(CloudEventMessage.encode(deleted, now: now))?.contains(
                #""id":"reset:1970-01-01T00:00:01.000001Z""#) == true)
        #expect(CloudEventMessage.encode(.live(id: nil), now: now) == nil)
    }
}
