/// What the bytes of the peer turned out to be.
package enum WebSocketEvent: Equatable, Sendable {
    /// A whole text message; its bytes are UTF-8.
    case text([UInt8])
    case binary([UInt8])
    case ping([UInt8])
    case pong([UInt8])
    /// The peer's close frame. Nothing comes after it.
    case close(code: UInt16?, reason: String)
    /// The peer broke the protocol. Nothing comes after it: send the close code and go.
    case failed(WebSocketFault)
}

/// Why a connection cannot go on: the code for the close frame, and what was wrong.
package struct WebSocketFault: Error, Equatable, Sendable {
    /// 1002, 1007 or 1009 (RFC 6455 7.4.1).
    package var closeCode: UInt16
    /// What was wrong; fits a close frame.
    package var reason: String

    package init(closeCode: UInt16, reason: String) {
        self.closeCode = closeCode
        self.reason = reason
    }

    static func protocolError(_ reason: String) -> WebSocketFault {
        WebSocketFault(closeCode: 1002, reason: reason)
    }

    static func notUTF8(_ what: String) -> WebSocketFault {
        WebSocketFault(closeCode: 1007, reason: "\(what) is not UTF-8")
    }

    static var notDeflate: WebSocketFault {
        WebSocketFault(closeCode: 1007, reason: "a message can't be inflated")
    }

    static func tooBig(limit: Int) -> WebSocketFault {
        WebSocketFault(closeCode: 1009, reason: "the message is over \(limit) bytes")
    }
}

/// Which codes a close frame may carry (RFC 6455 7.4 and the IANA registry: 1012 to 1014 came
/// later).
package enum WebSocketCloseCode {
    package static func isValidOnTheWire(_ code: UInt16) -> Bool {
        switch code {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }
}
