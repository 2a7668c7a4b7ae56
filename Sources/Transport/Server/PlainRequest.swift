internal import NIOCore

/// A plain HTTP request that reached a TLS port.
enum PlainRequest {
    /// Whether a connection's first bytes begin an HTTP method; a TLS record begins with 22.
    static func isOne(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count >= 4 && bytes[..<4].allSatisfy { ($0 >= 65 && $0 <= 90) || $0 == 32 }
    }

    static let answer = ByteBuffer(
        string:
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: \(text.utf8.count)"
            + "\r\nConnection: close\r\n\r\n\(text)")

    private static let text = "This is an HTTPS port. Use https:// in the address.\n"
}
