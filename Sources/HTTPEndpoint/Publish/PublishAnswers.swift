package import EventModel
internal import NIOCore
internal import NIOHTTP1
package import Publishing
package import Transport

/// The answers to publishes that are committed.
package enum PublishAnswers {
    /// 201 of `POST /v1/topics/{topic}/events`.
    package static func one(_ receipt: AppendReceipt) -> HTTPAnswer {
        let cursor = receipt.cursor.description
        var json = JSONWriter(capacity: 256)
        json.raw(#"{"topic":"#)
        json.string(receipt.topic.text)
        json.raw(#","cursor":"#)
        json.string(cursor)
        json.raw(#","first_offset":"#)
        json.integer(receipt.first)
        json.raw(#","last_offset":"#)
        json.integer(receipt.last)
        json.raw(#","time":"#)
        json.time(receipt.time)
        json.raw(#","repeated":"#)
        json.boolean(receipt.isRepeat)
        json.raw("}")
        return HTTPAnswer(
            status: .created,
            headers: [
                "content-type": "application/json",
                "location": "/v1/topics/" + receipt.topic.text + "/events/" + String(receipt.first),
                "etag": "\"" + cursor + "\"",
            ],
            body: ByteBuffer(bytes: json.bytes))
    }

    /// 200: there was no event in the request.
    package static let none = HTTPAnswer.json(.ok, Array(#"{"results":[]}"#.utf8))

    /// 201 of `POST /v1/events`, and of a batch of CloudEvents: one result an event.
    package static func many(_ answer: PublishAnswer) -> HTTPAnswer {
        let events = answer.events
        var json = JSONWriter(capacity: 32 + events.count * 160)
        json.raw(#"{"results":["#)
        for (line, event) in events.enumerated() {
            if line > 0 { json.raw(",") }
            json.raw(#"{"topic":"#)
            json.string(event.topic.text)
            json.raw(#","offset":"#)
            json.integer(event.cursor.offset)
            json.raw(#","cursor":"#)
            json.string(event.cursor.description)
            json.raw(#","time":"#)
            json.time(event.time)
            json.raw(#","repeated":"#)
            json.boolean(event.isRepeat)
            json.raw("}")
        }
        json.raw("]}")
        return .json(.created, json.bytes)
    }
}
