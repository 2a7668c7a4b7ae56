/// What is in a record (RFC 8446 5.1).
enum RecordContent: UInt8 {
    case changeCipherSpec = 20
    case alert = 21
    case handshake = 22
    case applicationData = 23
}

/// The form of TLS 1.3's records behind the handshake (RFC 8446 5.2).
enum RecordFormat {
    static let headerBytes = 5
    /// What may be behind a header: content, its type, padding and tag.
    static let bodyBytesMax = TLSSession.recordBytesMax + 256
    /// Content and its type, without padding.
    static let innerBytesMax = TLSSession.recordBytesMax + 1
    /// The largest record that we seal.
    static let sealedBytesMax = headerBytes + innerBytesMax + RecordCipher.tagBytes

    /// Writes the header of a record with `contentBytes`, and returns the whole record's length.
    static func writeHeader(_ contentBytes: Int, to record: UnsafeMutableRawPointer) -> Int {
        let body = contentBytes + 1 + RecordCipher.tagBytes
        record.storeBytes(of: RecordContent.applicationData.rawValue, as: UInt8.self)
        record.storeBytes(of: 3, toByteOffset: 1, as: UInt8.self)
        record.storeBytes(of: 3, toByteOffset: 2, as: UInt8.self)
        record.storeBytes(of: UInt8(body >> 8), toByteOffset: 3, as: UInt8.self)
        record.storeBytes(of: UInt8(body & 0xff), toByteOffset: 4, as: UInt8.self)
        return headerBytes + body
    }

    /// The whole length of the record that begins with `bytes`; `nil` before the header is whole.
    ///
    /// The version is not looked at: it is authenticated with the rest (RFC 8446 5.1, 5.2).
    static func recordBytes(_ bytes: UnsafeRawBufferPointer) throws(RecordFault) -> Int? {
        guard bytes.count >= headerBytes else { return nil }
        // Nothing is in clear any more, neither alerts nor a change of ciphers.
        guard bytes[0] == RecordContent.applicationData.rawValue else {
            throw RecordFault(.unexpectedMessage, "a record that is not protected")
        }
        let body = Int(bytes[3]) << 8 | Int(bytes[4])
        guard body <= bodyBytesMax else {
            throw RecordFault(.recordOverflow, "a record of \(body) bytes")
        }
        return headerBytes + body
    }

    /// Splits what was opened into content and type, behind which is nothing but zeros.
    static func content(
        of inner: UnsafeRawBufferPointer
    ) throws(RecordFault) -> (type: RecordContent, content: UnsafeRawBufferPointer) {
        guard inner.count <= innerBytesMax else {
            throw RecordFault(.recordOverflow, "\(inner.count - 1) bytes in a record")
        }
        guard let last = inner.lastIndex(where: { $0 != 0 }) else {
            throw RecordFault(.unexpectedMessage, "a record of padding alone")
        }
        guard let type = RecordContent(rawValue: inner[last]), type != .changeCipherSpec else {
            throw RecordFault(.unexpectedMessage, "content of type \(inner[last])")
        }
        return (type, UnsafeRawBufferPointer(rebasing: inner[..<last]))
    }
}

/// Why a peer's records end the connection, and the alert that tells it so.
struct RecordFault: Error, Equatable {
    /// `nil` if it was the peer who ended it.
    let alert: TLSAlert?
    let what: String

    init(_ alert: TLSAlert?, _ what: String) {
        self.alert = alert
        self.what = what
    }
}

/// Alerts that are sent, or understood (RFC 8446 6).
enum TLSAlert: UInt8 {
    case closeNotify = 0
    case unexpectedMessage = 10
    case badRecordMAC = 20
    case recordOverflow = 22
    case illegalParameter = 47
    case decodeError = 50
    case internalError = 80
    case userCanceled = 90

    /// The alert's two bytes; the level is without meaning but for old eyes.
    var bytes: [UInt8] { [self == .closeNotify ? 1 : 2, rawValue] }
}
