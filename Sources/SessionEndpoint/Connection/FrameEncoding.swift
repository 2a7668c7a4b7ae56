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
}
