package import EventModel

/// A delivered event.
///
/// Nothing in it belongs to one subscriber, so its bytes are made once for all.
package struct EventMessage: Hashable, Sendable {
    package var topic: TopicName
    package var epoch: Epoch
    package var event: Event

    package init(topic: TopicName, epoch: Epoch, event: Event) {
        self.topic = topic
        self.epoch = epoch
        self.event = event
    }

    package var cursor: Cursor { Cursor(epoch: epoch, offset: event.offset) }

    /// The message's bytes, `data` last and untouched (doc:CommonRules).
    ///
    /// Hot path: one pass into one allocation, and no strings.
    package static func encode(topic: TopicName, epoch: Epoch, event: Event) -> [UInt8] {
        let content = event.content
        var bytes: [UInt8] = []
        // 159 bytes of syntax and numbers with all members, and the epoch's 16; escapes in `key`
        // let the array grow.
        bytes.reserveCapacity(176 + topic.text.utf8.count + content.byteCount)
        bytes.append(#"{"type":"event","topic":""#)
        bytes.append(contentsOf: topic.text.utf8)  // Names have nothing to escape.
        bytes.append(#"","offset":"#)
        bytes.append(decimal: event.offset)
        bytes.append(#","cursor":""#)
        bytes.append(contentsOf: epoch.text.utf8)
        bytes.append("-")
        bytes.append(decimal: event.offset)
        bytes.append(#"","time":""#)
        event.time.append(to: &bytes)
        bytes.append(#"""#)
        if let key = content.key {
            bytes.append(#","key":"#)
            bytes.append(escaped: key)
        }
        if let eventID = content.eventID {
            bytes.append(#","event_id":"#)
            bytes.append(escaped: eventID)
        }
        if let attributes = content.attributes {
            bytes.append(#","attributes":"#)
            bytes.append(contentsOf: attributes)
        }
        bytes.append(#","data":"#)
        bytes.append(contentsOf: content.data)
        bytes.append("}")
        return bytes
    }
}

extension [UInt8] {
    fileprivate mutating func append(_ text: StaticString) {
        text.withUTF8Buffer { append(contentsOf: $0) }
    }

    /// Appends a number that is not negative.
    fileprivate mutating func append(decimal value: Int64) {
        var divisor: Int64 = 1
        while value / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            append(UInt8(ascii: "0") + UInt8(value / divisor % 10))
            divisor /= 10
        }
    }

    /// Appends a JSON string; most texts have nothing to escape.
    fileprivate mutating func append(escaped text: String) {
        let isPlain = text.utf8.allSatisfy { byte in
            byte >= 0x20 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
        }
        if isPlain {
            append(#"""#)
            append(contentsOf: text.utf8)
            append(#"""#)
        } else {
            var json = JSONWriter()
            json.string(text)
            append(contentsOf: json.bytes)
        }
    }
}
