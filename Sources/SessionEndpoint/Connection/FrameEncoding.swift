internal import Delivery
internal import EventModel
internal import FanOut
internal import SessionProtocol
internal import WebSocketCodec

extension Encoding {
    /// Text messages of sessions.
    ///
    /// With `isDeflated` an event is deflated when its bytes are made: once a loop, for everybody
    /// who has agreed on permessage-deflate.
    static func texts(isDeflated: Bool, isBatched: Bool) -> Encoding {
        switch (isDeflated, isBatched) {
        case (false, false): frames
        case (true, false): deflatedFrames
        case (false, true): batches
        case (true, true): deflatedBatches
        }
    }

    /// Text messages of single-topic streams.
    static func stream(_ view: StreamView, isDeflated: Bool) -> Encoding {
        switch view {
        case .message: texts(isDeflated: isDeflated, isBatched: false)
        case .data: isDeflated ? deflatedData : data
        }
    }

    /// Events' data alone; a stream of it ends where something is missing (doc:HTTP).
    private static let data = Encoding(
        event: { WebSocketFrame.encode(text: $2.content.data) }, notice: { _ in [] },
        isLast: \.endsBareData)

    private static let deflatedData = Encoding(
        event: { deflatedFrame(of: $2.content.data) }, notice: { _ in [] },
        isLast: \.endsBareData)

    /// Each a whole WebSocket frame.
    private static let frames = Encoding { WebSocketFrame.encode(text: $0) }

    private static let deflatedFrames = Encoding { deflatedFrame(of: $0) }

    static func deflatedFrame(of text: [UInt8]) -> [UInt8] {
        let (payload, isCompressed) = deflater.payload(of: text)
        return WebSocketFrame.encode(text: payload, isCompressed: isCompressed)
    }

    /// Bare messages of a session with batches: those that wait together are one text
    /// (doc:Session).
    private static let batches = Encoding(joining: .arrays) { $0 }

    /// Payloads, which are joined without deflating them again.
    private static let deflatedBatches = Encoding(joining: .deflatedArrays) {
        deflater.piece(of: $0)
    }

    private static let deflater = SharedDeflater()

    /// Messages in a form that is made of their texts.
    private convenience init(
        joining: Joining? = nil, form: @escaping @Sendable ([UInt8]) -> [UInt8]
    ) {
        self.init(
            event: { form(EventMessage.encode(topic: $0, epoch: $1, event: $2)) },
            notice: { form(BrokerMessage($0).encode()) }, joining: joining)
    }
}

extension Joining {
    /// A text message in one WebSocket frame, an array if the messages are several.
    fileprivate static let arrays = Joining(
        headerBytesMax: WebSocketFrame.headerBytesMax,
        list: ([UInt8(ascii: "[")], [UInt8(ascii: ",")], [UInt8(ascii: "]")])
    ) { length, place in
        WebSocketFrame.writeHeader(opcode: .text, payloadLength: length, to: place)
    }

    /// The same of messages that are deflated.
    fileprivate static let deflatedArrays = Joining(
        headerBytesMax: WebSocketFrame.headerBytesMax,
        list: (
            DeflatedText.array.begin, DeflatedText.array.separator, DeflatedText.array.end
        )
    ) { length, place in
        WebSocketFrame.writeHeader(
            opcode: .text, payloadLength: length, isCompressed: true, to: place)
    }
}
