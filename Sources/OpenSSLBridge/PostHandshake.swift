/// What a client's records mean behind the handshake of TLS 1.3 (RFC 8446 4.6, 5, 6).
///
/// Of handshake messages, a client may send KeyUpdate alone: it was not asked for a certificate.
struct PostHandshake {
    enum Meaning: Equatable {
        /// The record's content is the peer's data.
        case data
        case nothing
        /// The peer's next records are under its next keys; `isAsked` for ours, too.
        case keysUpdated(isAsked: Bool)
        /// The peer sends nothing more.
        case closed
    }

    /// Records in a row that bring nothing: empty ones, new keys, warnings.
    static let idleRecordsMax = 32

    private var idleRecords = 0
    /// The begin of a message that has not come whole.
    private var message: [UInt8] = []

    private static let keyUpdate: UInt8 = 24

    /// Takes one record's content.
    mutating func take(
        _ type: RecordContent, _ content: some Collection<UInt8>
    ) throws(RecordFault) -> Meaning {
        guard type == .handshake || message.isEmpty else {
            throw RecordFault(.unexpectedMessage, "a record inside a handshake message")
        }
        if type == .applicationData, !content.isEmpty {
            idleRecords = 0
            return .data
        }
        idleRecords += 1
        guard idleRecords <= Self.idleRecordsMax else {
            throw RecordFault(.unexpectedMessage, "too many records without data")
        }
        switch type {
        case .applicationData: return .nothing
        case .handshake: return try handshake(content)
        case .alert: return try alert(content)
        case .changeCipherSpec: throw RecordFault(.unexpectedMessage, "a change of ciphers")
        }
    }

    private func alert(_ content: some Collection<UInt8>) throws(RecordFault) -> Meaning {
        let bytes = Array(content.prefix(3))
        guard !bytes.isEmpty else { throw RecordFault(.unexpectedMessage, "an empty alert") }
        guard bytes.count == 2 else { throw RecordFault(.decodeError, "a malformed alert") }
        switch TLSAlert(rawValue: bytes[1]) {
        case .closeNotify: return .closed
        case .userCanceled: return .nothing
        case .unexpectedMessage, .badRecordMAC, .recordOverflow, .illegalParameter, .decodeError,
            .internalError, nil:
            // All others are errors, whatever level they claim.
            throw RecordFault(nil, "the peer sent the alert \(bytes[1])")
        }
    }

    private mutating func handshake(
        _ content: some Collection<UInt8>
    ) throws(RecordFault) -> Meaning {
        guard !content.isEmpty else {
            throw RecordFault(.unexpectedMessage, "an empty handshake record")
        }
        message += content.prefix(6)
        guard message[0] == Self.keyUpdate else {
            throw RecordFault(.unexpectedMessage, "a handshake message of type \(message[0])")
        }
        guard message.prefix(4).elementsEqual([Self.keyUpdate, 0, 0, 1].prefix(message.count))
        else { throw RecordFault(.decodeError, "a malformed KeyUpdate") }
        guard message.count >= 5 else { return .nothing }
        // What is behind it would be under the next keys.
        guard message.count == 5 else {
            throw RecordFault(.unexpectedMessage, "a KeyUpdate that is not at a record's end")
        }
        let request = message[4]
        message = []
        guard request <= 1 else {
            throw RecordFault(.illegalParameter, "a KeyUpdate that asks for \(request)")
        }
        return .keysUpdated(isAsked: request == 1)
    }

    /// The message that announces our next keys, and asks for none (RFC 8446 4.6.3).
    static let keyUpdateNotRequested: [UInt8] = [keyUpdate, 0, 0, 1, 0]
}
