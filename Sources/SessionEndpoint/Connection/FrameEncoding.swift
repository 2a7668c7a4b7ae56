internal import Delivery
internal import FanOut
internal import SessionProtocol
internal import WebSocketCodec

extension Encoding {
    /// Text messages of the session and the single-topic stream, each a whole WebSocket frame.
    static let frames = Encoding(
        event: { topic, epoch, event in
            WebSocketFrame.encode(
                text: EventMessage.encode(topic: topic, epoch: epoch, event: event))
        },
        notice: { WebSocketFrame.encode(text: BrokerMessage($0).encode()) })

    /// Bare messages of a session with batches: those that wait together are one text (doc:Session).
    static let batches = Encoding(
        event: { EventMessage.encode(topic: $0, epoch: $1, event: $2) },
        notice: { BrokerMessage($0).encode() }, joining: .arrays)
}

extension Joining {
    /// A text message in one WebSocket frame, an array if the messages are several.
    fileprivate static let arrays = Joining(
        headerBytesMax: WebSocketFrame.headerBytesMax,
        list: ([UInt8(ascii: "[")], [UInt8(ascii: ",")], [UInt8(ascii: "]")])
    ) { length, place in
        WebSocketFrame.writeHeader(opcode: .text, payloadLength: length, to: place)
    }
}
