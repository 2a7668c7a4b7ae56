internal import EventModel

/// Header fields of a handshake, looked up without regard to case (RFC 9110 5.1).
struct HandshakeHeaders {
    private let fields: [(name: String, value: String)]

    init(_ fields: [(name: String, value: String)]) { self.fields = fields }

    /// The values of all fields of a name, as they are.
    func values(_ name: String) -> [String] {
        let name = name.lowercased()
        return fields.filter { $0.name.lowercased() == name }.map(\.value)
    }

    /// The elements of a comma-separated list over all fields of a name.
    func list(_ name: String) -> [String] {
        values(name).flatMap { $0.split(separator: ",") }.map { String(trimmed($0)) }.filter {
            !$0.isEmpty
        }
    }

    /// True if the token, given in lower case, is in the list in any case.
    func contains(_ token: String, in name: String) -> Bool {
        list(name).contains { $0.lowercased() == token }
    }
}

/// What both sides compute from the client's key (RFC 6455 4.2.2).
enum AcceptKey {
    static func text(for key: String, sha1: ([UInt8]) -> [UInt8]) -> String {
        Base64.encode(sha1(Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)))
    }
}
