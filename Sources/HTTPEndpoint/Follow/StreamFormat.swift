internal import Delivery
internal import EventModel
internal import FanOut
internal import SessionProtocol

/// In what form a topic is followed over HTTP (doc:HTTP).
enum StreamFormat: Sendable {
    /// NDJSON: the messages of the single-topic stream, one a line.
    case lines
    /// Server-sent events: the same messages, each with the cursor as its id.
    case serverSentEvents

    /// The first is what a client gets that takes anything.
    static let types: [MediaType] = [.ndjson, .eventStream]

    init(_ type: MediaType) { self = type == .eventStream ? .serverSentEvents : .lines }

    var type: MediaType {
        switch self {
        case .lines: .ndjson
        case .serverSentEvents: .eventStream
        }
    }

    /// Of events and notices.
    var encoding: Encoding {
        switch self {
        case .lines: .lines
        case .serverSentEvents: .serverSentEvents
        }
    }

    func encode(_ message: BrokerMessage) -> [UInt8] {
        switch self {
        case .lines: message.encode() + [Encoding.lineFeed]
        case .serverSentEvents: ServerSentEvent(message).encode()
        }
    }

    /// What stands before all messages of a stream that begins at `start`.
    func opening(at start: StartPosition) -> [UInt8] {
        switch self {
        case .lines: []
        case .serverSentEvents: ServerSentEvent(beginningAt: start).encode()
        }
    }
}

extension Encoding {
    fileprivate static let lines = Encoding(
        event: { topic, epoch, event in
            EventMessage.encode(topic: topic, epoch: epoch, event: event) + [lineFeed]
        },
        notice: { BrokerMessage($0).encode() + [lineFeed] })

    fileprivate static let lineFeed = UInt8(ascii: "\n")

    fileprivate static let serverSentEvents = Encoding(
        event: { topic, epoch, event in
            ServerSentEvent(
                id: "\(Cursor(epoch: epoch, offset: event.offset))",
                data: EventMessage.encode(topic: topic, epoch: epoch, event: event)
            ).encode()
        },
        notice: { ServerSentEvent(BrokerMessage($0)).encode() })
}
