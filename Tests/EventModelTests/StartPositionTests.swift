import EventModel
import Testing

@Suite("A start position") struct StartPositionTests {
    @Test func `has one grammar`() throws {
        let cursor = try #require(Cursor("k3f9-41"))
        #expect(try StartPosition("latest") == .latest)
        #expect(try StartPosition("earliest") == .earliest)
        #expect(try StartPosition("last:10") == .last(10))
        #expect(try StartPosition("offset:17") == .offset(17))
        #expect(try StartPosition("after:k3f9-41") == .after(cursor))
        #expect(
            try StartPosition("time:1970-01-01T00:00:01Z")
                == .time(Timestamp(microseconds: 1_000_000)))
        #expect(try StartPosition("ago:15m") == .ago(.seconds(900)))
    }

    @Test(arguments: [
        "", "Latest", "newest", "last", "last:", "last:0", "last:-1", "last:x", "offset:0",
        "offset:1.5",
        "offset:9007199254740992", "after:17", "after:", "time:yesterday", "time:", "ago:15",
        "ago:-1s",
        "ago:1w", "latest:1", ":", "last:99999999999999999999", "ago:1000000001s",
    ])
    func `of another form is refused`(text: String) {
        let error = #expect(throws: BrokerError.self) { try StartPosition(text) }
        #expect(error?.code == .invalidStart)
    }

    @Test(arguments: [
        "", "abc", "latest", "latest.memory0001", "latest.memory0001.", "latest.memory001.1",
        "latest.memory00001.1", "latest.MEMORY0001.1", "latest.memory0001.A",
        "latest.memory0001.01", "latest.memory0001.+1", "latest.memory0001.-1",
        "latest.memory0001.1.2", "latest.memory0001.2iiuvvvvvvvvv",
        "latest.memory0001.zzzzzzzzzzzz",
        "newest.memory0001.1", "last.memory0001.1", "last-0.memory0001.1",
        "last-01.memory0001.1", "last-9007199254740992.memory0001.1", "offset-1.memory0001.1",
    ])
    func `that no broker issued is no mark`(text: String) {
        let error = #expect(throws: BrokerError.self) { try StartPosition("mark:\(text)") }
        #expect(error?.code == .invalidStart)
        #expect(error?.message.contains("mark") == true)
        #expect(error?.remedy.contains("resume_from") == true)
    }

    @Test(arguments: [
        "latest", "earliest", "last:10", "offset:17", "after:k3f9-41",
        "time:2026-01-01T00:00:00.000000Z",
        "ago:900s", "ago:250ms", "ago:1000000000s", "ago:1000000000d", "ago:999999999h",
        "mark:latest.memory0001.hefg8dts00", "mark:earliest.memory0001.0",
        "mark:last-10.memory0001.1", "mark:last-9007199254740991.memory0001.1xb3m9wqsqnz",
    ])
    func `is written as it was read`(text: String) throws {
        #expect(try StartPosition(text).text == text)
    }

    @Test func `of an offset fits one topic only`() throws {
        #expect(try StartPosition("offset:1").fitsOneTopicOnly)
        #expect(try StartPosition("after:a-1").fitsOneTopicOnly)
        #expect(try !StartPosition("last:1").fitsOneTopicOnly)
    }

    @Test func `of long ago stays a time that can be written`() throws {
        guard case .ago(let duration) = try StartPosition("ago:1000000000d") else {
            Issue.record("not a duration")
            return
        }
        let now = Timestamp(microseconds: 1_700_000_000_000_000)
        #expect(now.advanced(by: .zero - duration).description == "0000-01-01T00:00:00.000000Z")
        #expect(now.advanced(by: duration).description == "9999-12-31T23:59:59.999999Z")
    }
}

@Suite("Durations and sizes of the configuration") struct UnitTests {
    @Test func `have units`() {
        #expect(parseDuration("250ms") == .milliseconds(250))
        #expect(parseDuration("30s") == .seconds(30))
        #expect(parseDuration("12h") == .seconds(43_200))
        #expect(parseDuration("7d") == .seconds(604_800))
        #expect(parseSize("1MiB") == 1 << 20)
        #expect(parseSize("64KiB") == 1 << 16)
        #expect(parseSize("2GiB") == 2 << 30)
        #expect(parseSize("17") == 17)
    }

    @Test(arguments: [
        (Duration.seconds(7 * 86_400), "7d"), (.seconds(43_200), "12h"), (.seconds(900), "15m"),
        (.seconds(61), "61s"), (.milliseconds(1250), "1250ms"), (.zero, "0s"),
        (Limits.durationMax, "36500d"),
    ]) func `are told in the largest unit that fits`(duration: Duration, text: String) {
        #expect(durationText(duration) == text)
        #expect(parseDuration(text) == duration)
    }

    @Test func `that are beyond a PiB are refused, and never wrap around`() {
        #expect(parseSize("1048576GiB") == 1 << 50)
        for text in ["1048577GiB", "8589934592GiB", "1099511627776GiB", "1099511627777MiB"] {
            #expect(parseSize(text) == nil, "\(text)")
        }
    }

    @Test(arguments: [("", ""), (" \t", ""), (" a b\t", "a b"), ("a", "a"), (" \u{e4} ", "ä")])
    func `stand between spaces and tabs`(text: String, inner: String) {
        #expect(trimmed(text) == inner)
    }

    @Test(arguments: ["", "s", "-1s", "1.5s", "1", "1 s", "٣s", "99999999999999999999s"])
    func `of another form are refused`(text: String) {
        #expect(parseDuration(text) == nil)
        #expect(parseSize(text + "MB") == nil)
    }
}
