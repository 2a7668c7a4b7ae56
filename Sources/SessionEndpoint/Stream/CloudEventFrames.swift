internal import CloudEvents
internal import Delivery
internal import FanOut
internal import SessionProtocol
internal import WebSocketCodec

extension Encoding {
    /// Text messages with one CloudEvent each (CloudEvents WebSockets binding 1.0.2); of what is
    /// told beside events, gaps and resets alone.
    static func cloudEvents(isDeflated: Bool) -> Encoding {
        isDeflated ? deflatedCloudEventFrames : cloudEventFrames
    }

    private static let cloudEventFrames = cloudEvents { WebSocketFrame.encode(text: $0) }

    private static let deflatedCloudEventFrames = cloudEvents { deflatedFrame(of: $0) }

    private static func cloudEvents(_ frame: @escaping @Sendable ([UInt8]) -> [UInt8]) -> Encoding {
        Encoding(
            event: { frame(CloudEventMessage.encode(topic: $0, epoch: $1, event: $2)) },
            notice: { notice in
                let text = CloudEventMessage.encode(BrokerMessage(notice), now: Moment.now.time)
                return text.map(frame) ?? []
            })
    }
}
