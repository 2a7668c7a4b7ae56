internal import COpenSSL

/// A server's TLS 1.3 connection behind the handshake, without an SSL object (RFC 8446 4.6.3, 5,
/// 6).
///
/// Holds keys, and the begin of a record that has not come whole; nothing else while idle.
/// Confined to one thread.
final class RecordLayer {
    private let engine: RecordEngine
    private var sealing: RecordKeys
    private var opening: RecordKeys
    private var meanings = PostHandshake()
    /// The begin of a record, not yet known to be authentic; grows as bytes come.
    private var partial: [UInt8] = []
    /// The peer has asked for new keys, which is answered before the next data.
    private var owesKeyUpdate = false
    /// Our last alert was sent.
    private var isOver = false
    /// The peer said close_notify.
    private(set) var isPeerClosed = false

    /// Room that `receive` needs for the largest record.
    static let scratchBytesMin = RecordFormat.bodyBytesMax

    init(_ engine: RecordEngine, sealing: consuming RecordKeys, opening: consuming RecordKeys) {
        self.engine = engine
        self.sealing = sealing
        self.opening = opening
    }

    var suiteName: String { sealing.cipher.suiteName }

    // MARK: Sending

    /// Seals data into records of at most `TLSSession.recordBytesMax` and writes each to `output`.
    func seal(
        _ plaintext: UnsafeRawBufferPointer, to output: any TLSOutput
    ) throws(TLSError) {
        guard !isOver else { throw TLSError(.closed, "The TLS connection is not open.") }
        var rest = plaintext
        while !rest.isEmpty {
            if owesKeyUpdate || sealing.sequence >= engine.recordsPerKey { try updateKeys(output) }
            let count = min(rest.count, TLSSession.recordBytesMax)
            let piece = UnsafeRawBufferPointer(rebasing: rest[..<count])
            output.write(try engine.seal(piece, as: .applicationData, with: &sealing))
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    /// Announces our next keys under the present ones, and takes them.
    private func updateKeys(_ output: any TLSOutput) throws(TLSError) {
        try send(PostHandshake.keyUpdateNotRequested, as: .handshake, to: output)
        sealing.update()
        owesKeyUpdate = false
    }

    /// Says close_notify, once.
    func shutdown(to output: any TLSOutput) { end(.closeNotify, to: output) }

    private func end(_ alert: TLSAlert, to output: any TLSOutput) {
        guard !isOver else { return }
        isOver = true
        // Without memory for an alert, the peer sees the connection end all the same.
        try? send(alert.bytes, as: .alert, to: output)
    }

    private func send(
        _ bytes: [UInt8], as type: RecordContent, to output: any TLSOutput
    ) throws(TLSError) {
        let record: Result<UnsafeRawBufferPointer, TLSError> = bytes.withUnsafeBytes { bytes in
            Result { () throws(TLSError) in try engine.seal(bytes, as: type, with: &sealing) }
        }
        output.write(try record.get())
    }

    // MARK: Receiving

    /// Takes bytes from the peer; see `TLSSession.receive`.
    func receive(
        _ ciphertext: UnsafeRawBufferPointer, scratch: UnsafeMutableRawBufferPointer,
        to output: any TLSOutput, plaintext: (UnsafeRawBufferPointer) -> Void
    ) throws(TLSError) {
        var rest = ciphertext
        var filled = 0
        func deliver() {
            guard filled > 0 else { return }
            let bytes = UnsafeRawBufferPointer(rebasing: scratch[..<filled])
            filled = 0
            plaintext(bytes)
        }
        do throws(RecordFault) {
            while !isPeerClosed {
                // Several small records go to the closure at once: fewer calls, one parse.
                if scratch.count - filled < Self.scratchBytesMin { deliver() }
                let room = UnsafeMutableRawBufferPointer(rebasing: scratch[filled...])
                guard let count = try takeRecord(&rest, room) else { break }
                filled += count
            }
            deliver()
        } catch {
            deliver()
            if let alert = error.alert { end(alert, to: output) }
            isOver = true
            throw TLSError(.handshake, "TLS broke off: \(error.what).")
        }
    }

    /// Opens the next record into `room`, or keeps its begin and returns `nil`.
    ///
    /// - Returns: Bytes of data, from the room's begin.
    private func takeRecord(
        _ rest: inout UnsafeRawBufferPointer, _ room: UnsafeMutableRawBufferPointer
    ) throws(RecordFault) -> Int? {
        if partial.isEmpty, let count = try RecordFormat.recordBytes(rest), count <= rest.count {
            let record = UnsafeRawBufferPointer(rebasing: rest[..<count])
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            return try open(record, room)
        }
        while !rest.isEmpty {
            let wanted = try partialRecordBytes() ?? RecordFormat.headerBytes
            let count = min(wanted - partial.count, rest.count)
            partial += rest[..<count]
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            guard try partialRecordBytes() == partial.count else { continue }
            let record = partial
            partial = []
            return try record.withUnsafeBufferPointer { bytes throws(RecordFault) in
                try open(UnsafeRawBufferPointer(bytes), room)
            }
        }
        return nil
    }

    private func partialRecordBytes() throws(RecordFault) -> Int? {
        try partial.withUnsafeBufferPointer { bytes throws(RecordFault) in
            try RecordFormat.recordBytes(UnsafeRawBufferPointer(bytes))
        }
    }

    /// Opens a record and does what it asks; returns how many bytes of data were in it.
    private func open(
        _ record: UnsafeRawBufferPointer, _ room: UnsafeMutableRawBufferPointer
    ) throws(RecordFault) -> Int {
        let count = max(0, record.count - RecordFormat.headerBytes - RecordCipher.tagBytes)
        let inner = UnsafeMutableRawBufferPointer(rebasing: room[..<count])
        guard try isAuthentic(record, inner) else {
            throw RecordFault(.badRecordMAC, "a record that is not authentic")
        }
        let (type, content) = try RecordFormat.content(of: UnsafeRawBufferPointer(inner))
        switch try meanings.take(type, content) {
        case .data: return content.count
        case .nothing: break
        case .keysUpdated(let isAsked):
            opening.update()
            if isAsked { owesKeyUpdate = true }
        case .closed: isPeerClosed = true
        }
        return 0
    }

    private func isAuthentic(
        _ record: UnsafeRawBufferPointer, _ inner: UnsafeMutableRawBufferPointer
    ) throws(RecordFault) -> Bool {
        do throws(TLSError) {
            return try engine.open(record, into: inner, with: &opening)
        } catch {
            throw RecordFault(.internalError, error.message)
        }
    }
}

@available(*, unavailable) extension RecordLayer: Sendable {}
