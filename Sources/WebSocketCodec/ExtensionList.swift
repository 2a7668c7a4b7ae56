/// One element of `Sec-WebSocket-Extensions` (RFC 6455 9.1).
struct WebSocketExtension: Equatable {
    struct Parameter: Equatable {
        var name: String
        /// Without quotes, if it was quoted.
        var value: String?
    }

    var name: String
    var parameters: [Parameter] = []
}

/// Reads `Sec-WebSocket-Extensions`: a list over all fields of the name, the preferred first.
struct ExtensionList {
    private let text: [UInt8]
    private var position = 0

    private init(_ values: [String]) { text = Array(values.joined(separator: ",").utf8) }

    /// The elements of the fields' values; none if there is no field, and `nil` if they are not as
    /// RFC 6455 9.1 has them, for which the connection must fail.
    static func parse(_ values: [String]) -> [WebSocketExtension]? {
        var list = ExtensionList(values)
        return values.isEmpty ? [] : list.elements()
    }

    /// Empty elements count for nothing, but one is needed (RFC 2616 2.1, `1#element`).
    private mutating func elements() -> [WebSocketExtension]? {
        var elements: [WebSocketExtension] = []
        repeat {
            skipSpace()
            if position == text.count || text[position] == UInt8(ascii: ",") { continue }
            guard let element = element() else { return nil }
            elements.append(element)
        } while take(",")
        return position == text.count && !elements.isEmpty ? elements : nil
    }

    private mutating func element() -> WebSocketExtension? {
        guard let name = token() else { return nil }
        var element = WebSocketExtension(name: name)
        while take(";") {
            guard let name = token() else { return nil }
            var parameter = WebSocketExtension.Parameter(name: name)
            if take("=") {
                guard let value = quotedToken() ?? token() else { return nil }
                parameter.value = value
            }
            element.parameters.append(parameter)
        }
        return element
    }

    /// Takes a separator and the spaces around it.
    private mutating func take(_ separator: Unicode.Scalar) -> Bool {
        skipSpace()
        guard position < text.count, text[position] == UInt8(ascii: separator) else { return false }
        position += 1
        skipSpace()
        return true
    }

    private mutating func skipSpace() {
        while position < text.count, text[position] == 0x20 || text[position] == 0x09 {
            position += 1
        }
    }

    private mutating func token() -> String? {
        let start = position
        while position < text.count, Self.isTokenByte(text[position]) { position += 1 }
        return start == position ? nil : String(decoding: text[start..<position], as: UTF8.self)
    }

    /// A quoted string, which must be a token once its quotes and backslashes are gone.
    private mutating func quotedToken() -> String? {
        guard position < text.count, text[position] == UInt8(ascii: "\"") else { return nil }
        var value: [UInt8] = []
        var index = position + 1
        while index < text.count, text[index] != UInt8(ascii: "\"") {
            if text[index] == UInt8(ascii: "\\") { index += 1 }
            guard index < text.count, Self.isTokenByte(text[index]) else { return nil }
            value.append(text[index])
            index += 1
        }
        guard index < text.count, !value.isEmpty else { return nil }
        position = index + 1
        return String(decoding: value, as: UTF8.self)
    }

    /// RFC 2616 2.2: printable ASCII that is no separator.
    private static func isTokenByte(_ byte: UInt8) -> Bool {
        (0x21...0x7E).contains(byte) && !separators.contains(byte)
    }

    private static let separators = Array("()<>@,;:\\\"/[]?={}".utf8)
}
