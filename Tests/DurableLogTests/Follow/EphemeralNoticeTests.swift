import DurableLog
import EventModel
import Testing

@Suite("The notification of an ephemeral event") struct EphemeralNoticeTests {
    private func parsed(_ payload: String) -> EphemeralNotice? { EphemeralNotice(payload: payload) }

    @Test func `gives the event byte for byte`() throws {
        let notice = try #require(
            parsed(
                #"abcdefghij 7 12 {"time":"2026-01-01T01:00:00.000001+01:00","key":"k \"ö\"","#
                    + #""event_id":"e","attributes":{"a": "b"},"data":{ "x" : [1.0e400 ]}}"#))
        #expect(notice.incarnation == "abcdefghij")
        #expect(notice.topicID == 7)
        #expect(notice.offset == 12)
        #expect(
            notice.event
                == Event(
                    offset: 12, time: Timestamp(microseconds: 1_767_225_600_000_001),
                    content: NewEvent(
                        data: Array(#"{ "x" : [1.0e400 ]}"#.utf8), key: "k \"ö\"", eventID: "e",
                        attributes: Array(#"{"a": "b"}"#.utf8))))
    }

    @Test func `names an event that is too large for it`() {
        #expect(parsed("abcdefghij 7 12")?.offset == 12)
        #expect(parsed("abcdefghij 7 12")?.event == nil)
    }

    @Test(arguments: [
        "", "abcdefghij", "abcdefghij 7", "abcdefghij 0 1", "abcdefghij 7 0", "abcdefghij 7 -1",
        "abcdefghij x 1", "abcdefghij 7 9007199254740993", "abcdefghij 7 1 ", "abcdefghij 7 1 {}",
        #"abcdefghij 7 1 {"data":1}"#, #"abcdefghij 7 1 {"time":"2026-01-01T00:00:00Z"}"#,
        #"abcdefghij 7 1 {"time":"yesterday","data":1}"#,
        #"abcdefghij 7 1 {"time":"2026-01-01T00:00:00Z","data":1} x"#,
        #"abcdefghij 7 1 {"time":"2026-01-01T00:00:00Z","data":1,"data":2}"#,
        #"abcdefghij 7 1 {"time":"2026-01-01T00:00:00Z","data":tru}"#,
        #"abcdefghij 7 1 {"time":"2026-01-01T00:00:00Z","attributes":[],"data":1}"#,
        #"abcdefghij 7 1 {"time":"2026-01-01T00:00:00Z","attributes":{"a":1},"data":1}"#,
        #"abcdefghij 7 1 {"time":"2026-01-01T00:00:00Z","key":1,"data":1}"#,
    ]) func `is not taken for one when somebody else made it up`(payload: String) {
        #expect(parsed(payload) == nil)
    }
}
