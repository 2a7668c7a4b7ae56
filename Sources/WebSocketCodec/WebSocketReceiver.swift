package import ZlibBridge

/// Turns the peer's bytes into messages and enforces RFC 6455 and 7692 on them.
///
/// Frames may be split anywhere. A message is bounded by `messageBytesMax`, and a frame that
/// announces more is refused before anything of it is kept. Between messages the receiver holds no
/// memory of its own. A message that is deflated is collected as it is, and inflated when it is
/// whole, so that an inflater without context is free between any two reads, for other connections.
package struct WebSocketReceiver {
    private var messageBytesMax: Int
    /// Inflates messages; `nil` if that was not agreed on.
    private let inflater: Inflater?
    /// Of a data message, possibly in several frames.
    private var message: [UInt8] = []
    /// Of a control frame, which may come between the frames of a message.
    private var control: [UInt8] = []
    /// Payload bytes of the frame: announced, and then still to come.
    private var remaining: UInt64 = 0
    private var maskingKey: UInt32 = 0
    /// How many payload bytes of the frame were unmasked, modulo 4.
    private var maskPhase: UInt8 = 0
    private let role: WebSocketRole
    private var step = Step.first
    /// Bytes that `step` still needs.
    private var needed: UInt8 = 0
    private var opcode = WebSocketOpcode.continuation
    private var isFinal = false
    /// The message that is open is deflated.
    private var isCompressed = false
    /// Which kind of message is open between its first and its last frame.
    private var open: WebSocketOpcode?
    private var utf8 = UTF8Check()

    private enum Step: UInt8 {
        case first
        case second
        case shortLength
        case longLength
        case mask
        case payload
        /// After a close frame or a fault.
        case ended
    }

    /// A receiver of messages of up to `messageBytesMax` bytes, over all their frames.
    package init(
        role: WebSocketRole, messageBytesMax: Int = 2 << 20, inflater: Inflater? = nil
    ) {
        self.role = role
        self.messageBytesMax = messageBytesMax
        self.inflater = inflater
    }

    /// Takes messages of up to so many bytes from now on, unless longer ones were taken already.
    package mutating func raise(messageBytesMax: Int) {
        self.messageBytesMax = max(self.messageBytesMax, messageBytesMax)
    }

    /// Reads bytes as they came from the peer; what is behind a close frame or a fault is ignored.
    ///
    /// `bytes` are borrowed for the call. Unsafe by design: this is the hot path's plaintext, which
    /// lies in one buffer shared by all connections of a loop; an array would cost a copy per read.
    package mutating func receive(
        _ bytes: UnsafeRawBufferPointer, into events: inout [WebSocketEvent]
    ) {
        var position = 0
        do throws(WebSocketFault) {
            // An empty payload is complete without another byte, hence the second condition.
            while step != .ended, position < bytes.count || (step == .payload && remaining == 0) {
                if step == .payload {
                    let count = min(Int(clamping: remaining), bytes.count - position)
                    try take(bytes[position..<position + count], into: &events)
                    position += count
                } else {
                    try read(bytes[position])
                    position += 1
                }
            }
        } catch {
            end()
            events.append(.failed(error))
        }
    }

    /// Reads bytes of an array; for tests and slow paths.
    package mutating func receive(_ bytes: [UInt8], into events: inout [WebSocketEvent]) {
        // Safe: `receive` does not keep the pointer beyond the call.
        bytes.withUnsafeBytes { receive($0, into: &events) }
    }

    /// One byte of the header.
    private mutating func read(_ byte: UInt8) throws(WebSocketFault) {
        switch step {
        case .first: try readFirst(byte)
        case .second: try readSecond(byte)
        case .shortLength, .longLength:
            remaining = remaining << 8 | UInt64(byte)
            needed -= 1
            if needed == 0 { try lengthRead() }
        case .mask:
            maskingKey = maskingKey << 8 | UInt32(byte)
            needed -= 1
            if needed == 0 { step = .payload }
        case .payload, .ended:
            preconditionFailure("bug: payload byte read as a header")
        }
    }

    private mutating func readFirst(_ byte: UInt8) throws(WebSocketFault) {
        let isFirstOfCompressed = byte & 0x40 != 0
        guard byte & 0x30 == 0, !isFirstOfCompressed || inflater != nil else {
            throw .protocolError("reserved bits are set; no extension was agreed on")
        }
        guard let opcode = WebSocketOpcode(rawValue: byte & 0x0F) else {
            throw .protocolError("opcode \(byte & 0x0F) is reserved")
        }
        isFinal = byte & 0x80 != 0
        // RFC 7692 6: it is the message that is compressed, and its first frame says so.
        if isFirstOfCompressed, opcode != .text, opcode != .binary {
            throw .protocolError("RSV1 is set, and no message begins")
        }
        switch opcode {
        case .close, .ping, .pong:
            guard isFinal else { throw .protocolError("a control frame is fragmented") }
        case .continuation:
            guard open != nil else { throw .protocolError("a continuation continues nothing") }
        case .text, .binary:
            guard open == nil else { throw .protocolError("a message begins inside another") }
            open = opcode
            isCompressed = isFirstOfCompressed
            utf8 = UTF8Check()
        }
        self.opcode = opcode
        step = .second
    }

    private mutating func readSecond(_ byte: UInt8) throws(WebSocketFault) {
        let isMasked = byte & 0x80 != 0
        guard isMasked == (role == .server) else {
            throw .protocolError(
                isMasked ? "a server's frame is masked" : "the frame is not masked")
        }
        let length = byte & 0x7F
        guard !opcode.isControl || length <= WebSocketFrame.controlBytesMax else {
            throw .protocolError("a control frame is over 125 bytes")
        }
        remaining = 0
        maskingKey = 0
        maskPhase = 0
        if length >= 126 {
            needed = length == 126 ? 2 : 8
            step = length == 126 ? .shortLength : .longLength
        } else {
            remaining = UInt64(length)
            try lengthKnown()
        }
    }

    private mutating func lengthRead() throws(WebSocketFault) {
        guard remaining >> 63 == 0 else { throw .protocolError("the length has its top bit set") }
        // RFC 6455 5.2: the minimal number of bytes must be used.
        guard remaining > (step == .shortLength ? 125 : 0xFFFF) else {
            throw .protocolError("the length is not in its shortest form")
        }
        try lengthKnown()
    }

    /// Everything about the frame is known but the key: refuse what is too long before keeping any
    /// of it.
    private mutating func lengthKnown() throws(WebSocketFault) {
        if !opcode.isControl {
            guard remaining <= UInt64(payloadBytesMax - message.count) else {
                throw .tooBig(limit: messageBytesMax)
            }
        }
        needed = 4
        step = role == .server ? .mask : .payload
    }

    /// What may be collected of a message: deflating adds at most an eighth, where every byte takes
    /// nine bits (RFC 1951 3.2.6), and some bytes for each flush.
    private var payloadBytesMax: Int {
        isCompressed ? messageBytesMax + messageBytesMax / 8 + 64 : messageBytesMax
    }

    /// Some of the payload, possibly its end.
    private mutating func take(
        _ bytes: Slice<UnsafeRawBufferPointer>, into events: inout [WebSocketEvent]
    ) throws(WebSocketFault) {
        if opcode.isControl {
            let start = control.count
            control.append(contentsOf: bytes)
            WebSocketFrame.unmask(&control, from: start, key: maskingKey, phase: Int(maskPhase))
        } else {
            let start = message.count
            message.append(contentsOf: bytes)
            WebSocketFrame.unmask(&message, from: start, key: maskingKey, phase: Int(maskPhase))
            if open == .text, !isCompressed, !utf8.accept(message, from: start) {
                throw .notUTF8("a text message")
            }
        }
        maskPhase = (maskPhase + UInt8(bytes.count & 3)) & 3
        remaining -= UInt64(bytes.count)
        if remaining == 0 { try frameEnded(into: &events) }
    }

    private mutating func frameEnded(into events: inout [WebSocketEvent]) throws(WebSocketFault) {
        step = .first
        switch opcode {
        case .ping: events.append(.ping(takeControl()))
        case .pong: events.append(.pong(takeControl()))
        case .close:
            let close = try Self.close(takeControl())
            end()
            events.append(close)
        case .text, .binary, .continuation:
            if isFinal { try messageEnded(into: &events) }
        }
    }

    private mutating func messageEnded(
        into events: inout [WebSocketEvent]
    ) throws(WebSocketFault) {
        let kind = open
        open = nil
        var whole = message
        message = []
        if isCompressed { whole = try inflate(whole) }
        guard kind == .text else { return events.append(.binary(whole)) }
        if isCompressed, !utf8.accept(whole, from: 0) { throw .notUTF8("a text message") }
        guard utf8.isComplete else { throw .notUTF8("a text message") }
        events.append(.text(whole))
    }

    private func inflate(_ payload: [UInt8]) throws(WebSocketFault) -> [UInt8] {
        guard let inflater else { preconditionFailure("bug: no inflater for what was let in") }
        do throws(InflateError) {
            return try inflater.inflate(payload, bytesMax: messageBytesMax)
        } catch {
            switch error {
            case .invalid: throw .notDeflate
            case .tooLong: throw .tooBig(limit: messageBytesMax)
            }
        }
    }

    private mutating func takeControl() -> [UInt8] {
        defer { control = [] }
        return control
    }

    /// RFC 6455 5.5.1 and 7.4.
    private static func close(_ payload: [UInt8]) throws(WebSocketFault) -> WebSocketEvent {
        guard !payload.isEmpty else { return .close(code: nil, reason: "") }
        guard payload.count >= 2 else { throw .protocolError("half a close code") }
        let code = UInt16(payload[0]) << 8 | UInt16(payload[1])
        guard WebSocketCloseCode.isValidOnTheWire(code) else {
            throw .protocolError("\(code) is no close code for the wire")
        }
        guard let reason = String(validating: payload[2...], as: UTF8.self) else {
            throw .notUTF8("the close reason")
        }
        return .close(code: code, reason: reason)
    }

    private mutating func end() {
        step = .ended
        message = []
        control = []
    }
}
