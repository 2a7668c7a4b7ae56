import EventModel
import HTTPEndpoint
import MemoryLog
import NIOHTTP1
import Publishing
import Testing

@Suite("A CloudEvent that is published again") struct CloudEventPublishTests {
    private let publisher = Publisher(log: MemoryLog(), createsTopics: true) { bytes in
        let sum = bytes.reduce(UInt64(7)) { $0 &* 31 &+ UInt64($1) }
        return Array(String(sum | 1 << 63).utf8)
    }

    enum Mode: CaseIterable, Sendable { case structured, batched, binary }

    /// What becomes of it: the offset, and whether it is a repeat; or the code.
    private func publish(
        _ id: String = "1", of source: String = "/s", data: String = "1", as mode: Mode,
        _ more: HTTPHeaders = [:]
    ) async throws -> String {
        var headers = more
        let json =
            #"{"specversion":"1.0","id":"\#(id)","source":"\#(source)","type":"t","#
            + #""datacontenttype":"application/json","data":\#(data)}"#
        var body = json
        switch mode {
        case .structured: headers.add(name: "content-type", value: "application/cloudevents+json")
        case .batched:
            headers.add(name: "content-type", value: "application/cloudevents-batch+json")
            body = "[\(json)]"
        case .binary:
            body = data
            let attributes = [
                ("specversion", "1.0"), ("id", id), ("source", source), ("type", "t"),
            ]
            for (name, value) in attributes { headers.add(name: "ce-\(name)", value: value) }
            headers.add(name: "content-type", value: "application/json")
        }
        let request = try PublishRequest(
            to: TopicName("a"), fields: PublishFields(headers), body: Array(body.utf8),
            limits: Limits())
        let result = await withCheckedContinuation { continuation in
            publisher.publish(request, by: nil) { continuation.resume(returning: $0) }
        }
        switch result {
        case .success(let answer):
            let event = answer.events.first.map { ($0.cursor.offset, $0.isRepeat) }
            let (offset, isRepeat) = event ?? (answer.whole.first, answer.whole.isRepeat)
            return isRepeat ? "\(offset) again" : "\(offset)"
        case .failure(let error): return error.code.rawValue
        }
    }

    @Test(arguments: Mode.allCases, Mode.allCases)
    func `is appended once, in whatever mode it comes`(mode: Mode, again: Mode) async throws {
        #expect(try await publish(as: mode) == "1")
        #expect(try await publish(as: again) == "1 again")
        #expect(try await publish(data: "2", as: again) == "idempotency_conflict")
        #expect(try await publish(of: "/other", as: again) == "2")
        #expect(try await publish("2", as: again) == "3")
    }

    @Test func `is told from one whose source and id join to the same text`() async throws {
        #expect(try await publish("1 2", of: "/s", as: .structured) == "1")
        #expect(try await publish("2", of: "/s%201", as: .structured) == "2")
        let long = String(repeating: "x", count: 499)
        #expect(try await publish(long, as: .structured) == "3")
        #expect(try await publish(long, as: .structured) == "3 again")
        #expect(try await publish(long + "y", as: .structured) == "4")
    }

    @Test func `is the same with another trace, and the first one stays`() async throws {
        for (flags, expected) in [("00", "1"), ("01", "1 again")] {
            let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-\(flags)"
            let found = try await publish(as: .structured, ["traceparent": trace])
            #expect(found == expected)
        }
        #expect(try await publish(as: .binary) == "1 again")
    }

    @Test func `is governed by the request's key alone`() async throws {
        #expect(try await publish(as: .batched, ["idempotency-key": "k"]) == "1")
        #expect(try await publish(as: .batched, ["idempotency-key": "k"]) == "1 again")
        #expect(try await publish(as: .structured) == "2")
        #expect(
            try await publish("2", as: .structured, ["idempotency-key": "k"])
                == "idempotency_conflict")
    }
}
