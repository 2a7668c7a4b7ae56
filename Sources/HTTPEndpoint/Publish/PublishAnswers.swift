package import EventModel
internal import NIOCore
internal import NIOHTTP1
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
                "location": "/v1/topics/\(receipt.topic.text)/events/\(receipt.first)",
                "etag": "\"\(cursor)\"",
            ],
            body: ByteBuffer(bytes: json.bytes))
    }

    /// 201 of `POST /v1/events`: one result a line, from one receipt a part.
    package static func many(
        _ places: [ManyTopicsRequest.Place], receipts: [AppendReceipt]
    ) -> HTTPAnswer {
        var json = JSONWriter(capacity: 32 + places.count * 160)
        json.raw(#"{"results":["#)
        for (line, place) in places.enumerated() {
            if line > 0 { json.raw(",") }
            let receipt = receipts[place.part]
            let offset = receipt.first + Offset(place.index)
            json.raw(#"{"topic":"#)
            json.string(receipt.topic.text)
            json.raw(#","offset":"#)
            json.integer(offset)
            json.raw(#","cursor":"#)
            json.string(Cursor(epoch: receipt.epoch, offset: offset).description)
            json.raw(#","time":"#)
            json.time(receipt.time)
            json.raw(#","repeated":"#)
            json.boolean(receipt.isRepeat || place.repeatsLine)
            json.raw("}")
        }
        json.raw("]}")
        return .json(.created, json.bytes)
    }
}
