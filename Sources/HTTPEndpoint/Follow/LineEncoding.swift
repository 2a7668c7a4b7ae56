internal import Delivery
internal import FanOut
internal import SessionProtocol

extension Encoding {
    /// The messages of the single-topic stream as NDJSON: one a line.
    static let lines = Encoding(
        event: { topic, epoch, event in
            EventMessage.encode(topic: topic, epoch: epoch, event: event) + [lineFeed]
        },
        notice: { BrokerMessage($0).encode() + [lineFeed] })

    static let lineFeed = UInt8(ascii: "\n")
}
