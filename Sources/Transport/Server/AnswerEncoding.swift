internal import NIOCore
internal import NIOHTTP1

/// The bytes of answers (RFC 9112 4 and 6).
enum AnswerEncoding {
    static let pleaseContinue = "HTTP/1.1 100 Continue\r\n\r\n"

    /// Writes one answer.
    ///
    /// Content-Length, Date and Connection are written here whatever the service set.
    static func write(
        _ answer: HTTPAnswer, to request: AnswerQueue.Request, date: String,
        into buffer: inout ByteBuffer
    ) {
        writeStatusLine(answer.status, into: &buffer)
        for (name, value) in answer.headers where !isTransports(name) {
            writeField(name, value, into: &buffer)
        }
        buffer.writeStaticString("Date: ")
        buffer.writeString(date)
        if mayHaveBody(answer.status) {
            buffer.writeStaticString("\r\nContent-Length: ")
            buffer.writeString(String(answer.body?.readableBytes ?? 0))
        }
        writeConnection(answer, to: request, into: &buffer)
        buffer.writeStaticString("\r\n\r\n")
        if let body = answer.body, !request.isHead, mayHaveBody(answer.status) {
            buffer.writeImmutableBuffer(body)
        }
    }

    /// What is done with the connection, and, beside Upgrade, that this is about the connection
    /// (RFC 9110 7.8).
    private static func writeConnection(
        _ answer: HTTPAnswer, to request: AnswerQueue.Request, into buffer: inout ByteBuffer
    ) {
        var options: [StaticString] = []
        if answer.closes || !request.keepsAlive {
            options.append("close")
        } else if request.isVersion10 {
            options.append("keep-alive")
        }
        if answer.headers.contains(name: "Upgrade") { options.append("Upgrade") }
        for (index, option) in options.enumerated() {
            buffer.writeStaticString(index == 0 ? "\r\nConnection: " : ", ")
            buffer.writeStaticString(option)
        }
    }

    /// Writes the head of a stream: a 101 with exactly its headers, otherwise with the framing of
    /// the body, behind which the connection ends.
    static func writeHead(
        of stream: HTTPStream, to request: AnswerQueue.Request, date: String,
        into buffer: inout ByteBuffer
    ) {
        writeStatusLine(stream.status, into: &buffer)
        let isUpgrade = stream.status == .switchingProtocols
        for (name, value) in stream.headers where isUpgrade || !isTransports(name) {
            writeField(name, value, into: &buffer)
        }
        if !isUpgrade {
            writeField("Date", date, into: &buffer)
            buffer.writeStaticString("Connection: close\r\n")
        }
        switch stream.framing(for: request) {
        case .none: break
        case .chunked: buffer.writeStaticString("Transfer-Encoding: chunked\r\n")
        }
        buffer.writeStaticString("\r\n")
    }

    private static func writeStatusLine(
        _ status: HTTPResponseStatus, into buffer: inout ByteBuffer
    ) {
        buffer.writeStaticString("HTTP/1.1 ")
        buffer.writeString(String(status.code))
        buffer.writeStaticString(" ")
        buffer.writeString(status.reasonPhrase)
        buffer.writeStaticString("\r\n")
    }

    private static func writeField(_ name: String, _ value: String, into buffer: inout ByteBuffer) {
        writeWithoutBreaks(name, into: &buffer)
        buffer.writeStaticString(": ")
        writeWithoutBreaks(value, into: &buffer)
        buffer.writeStaticString("\r\n")
    }

    /// A line break in a field would let whoever chose its text write the rest of the answer
    /// (CWE-113); RFC 9110 5.5 has such bytes replaced by spaces.
    private static func writeWithoutBreaks(_ text: String, into buffer: inout ByteBuffer) {
        if hasBreaks(text.utf8Span.span) {
            buffer.writeBytes(text.utf8.map { $0 == 13 || $0 == 10 || $0 == 0 ? 32 : $0 })
        } else {
            buffer.writeString(text)
        }
    }

    private static func hasBreaks(_ bytes: Span<UInt8>) -> Bool {
        for index in bytes.indices {
            let byte = bytes[index]
            if byte == 13 || byte == 10 || byte == 0 { return true }
        }
        return false
    }

    private static func isTransports(_ name: String) -> Bool {
        switch name.utf8.count {
        case 4: name.lowercased() == "date"
        case 10: name.lowercased() == "connection"
        case 14: name.lowercased() == "content-length"
        case 17: name.lowercased() == "transfer-encoding"
        default: false
        }
    }

    /// RFC 9110 6.4.1.
    private static func mayHaveBody(_ status: HTTPResponseStatus) -> Bool {
        status.code >= 200 && status.code != 204 && status.code != 304
    }
}
