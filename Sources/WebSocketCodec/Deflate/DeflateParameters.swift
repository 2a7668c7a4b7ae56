/// One `permessage-deflate` of a handshake: a client's offer or a server's answer (RFC 7692 7.1).
package struct DeflateParameters: Equatable, Sendable {
    static let name = "permessage-deflate"

    /// `server_no_context_takeover`: no message of the server refers to an earlier one.
    package var serverNoContextTakeover: Bool
    /// `client_no_context_takeover`: no message of the client refers to an earlier one.
    package var clientNoContextTakeover: Bool
    /// `server_max_window_bits`, 8 to 15.
    package var serverMaxWindowBits: Int?
    /// `client_max_window_bits`, 8 to 15; an offer without a value leaves it to the server, up to
    /// 15.
    package var clientMaxWindowBits: Int?

    package enum Origin: Sendable {
        case offer
        case answer
    }

    package init(
        serverNoContextTakeover: Bool = false, clientNoContextTakeover: Bool = false,
        serverMaxWindowBits: Int? = nil, clientMaxWindowBits: Int? = nil
    ) {
        self.serverNoContextTakeover = serverNoContextTakeover
        self.clientNoContextTakeover = clientNoContextTakeover
        self.serverMaxWindowBits = serverMaxWindowBits
        self.clientMaxWindowBits = clientMaxWindowBits
    }

    /// Reads the parameters; `nil` if one is unknown, there twice, or has a value that it can't
    /// have (RFC 7692 7.1).
    init?(_ parameters: [WebSocketExtension.Parameter], of origin: Origin) {
        self.init()
        guard Set(parameters.map(\.name)).count == parameters.count else { return nil }
        for parameter in parameters {
            switch (parameter.name, parameter.value) {
            case ("server_no_context_takeover", nil): serverNoContextTakeover = true
            case ("client_no_context_takeover", nil): clientNoContextTakeover = true
            case ("server_max_window_bits", let value?):
                guard let bits = Self.windowBits(value) else { return nil }
                serverMaxWindowBits = bits
            case ("client_max_window_bits", nil) where origin == .offer: clientMaxWindowBits = 15
            case ("client_max_window_bits", let value?):
                guard let bits = Self.windowBits(value) else { return nil }
                clientMaxWindowBits = bits
            default: return nil
            }
        }
    }

    /// A decimal number of 8 to 15 without leading zeros (RFC 7692 7.1.2).
    private static func windowBits(_ text: String) -> Int? {
        (8...15).first { String($0) == text }
    }

    /// As the element of `Sec-WebSocket-Extensions`.
    func text(of origin: Origin) -> String {
        var text = Self.name
        if serverNoContextTakeover { text += "; server_no_context_takeover" }
        if clientNoContextTakeover { text += "; client_no_context_takeover" }
        if let bits = serverMaxWindowBits { text += "; server_max_window_bits=\(bits)" }
        if let bits = clientMaxWindowBits {
            text += "; client_max_window_bits"
            if origin == .answer || bits < 15 { text += "=\(bits)" }
        }
        return text
    }
}
