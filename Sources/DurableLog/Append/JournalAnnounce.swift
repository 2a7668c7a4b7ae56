package import EventModel

/// The NOTIFY that tells nodes that topics have new heads: `incarnation writer seq topic:head …`
/// (doc:AppendAndFollow).
package struct JournalAnnounce: Hashable, Sendable {
    package static let channel = "sluice_announce"
    /// PostgreSQL takes payloads of fewer than 8000 bytes (async.c, NOTIFY_PAYLOAD_MAX_LENGTH).
    package static let payloadBytesMax = 7999
    /// Sends a payload, `$1`.
    ///
    /// Nobody needs it after a crash, so its commit waits for no disk and no standby.
    static let notify = """
        SELECT set_config('synchronous_commit', 'off', true), pg_notify('\(channel)', $1::text)
        """

    package var incarnation: String
    package var writer: Int64
    package var seq: Int64
    package var heads: [Int32: Offset]

    package init(incarnation: String, writer: Int64, seq: Int64, heads: [Int32: Offset]) {
        self.incarnation = incarnation
        self.writer = writer
        self.seq = seq
        self.heads = heads
    }

    /// The payloads that say it, each short enough.
    package func payloads() -> [String] {
        let prefix = "\(incarnation) \(writer) \(seq)"
        var payloads: [String] = []
        var payload = prefix
        for (topicID, head) in heads.sorted(by: { $0.key < $1.key }) {
            let word = " \(topicID):\(head)"
            if payload.utf8.count + word.utf8.count > Self.payloadBytesMax {
                payloads.append(payload)
                payload = prefix
            }
            payload += word
        }
        payloads.append(payload)
        return payloads
    }

    /// Parses one payload; `nil` if it is not an announce, or says what no node says.
    ///
    /// Any role of the database may send one, so its numbers are a hint and never more.
    package init?(payload: String) {
        // As bytes: to look for the borders of characters would cost more than all the rest.
        let words = payload.utf8.split(separator: UInt8(ascii: " ")).map(Substring.init)
        guard words.count >= 3, let writer = Int64(words[1]), writer >= 0,
            let seq = Int64(words[2]), Self.numbers.contains(seq)
        else { return nil }
        var heads: [Int32: Offset] = [:]
        for word in words.dropFirst(3) {
            guard let colon = word.utf8.firstIndex(of: UInt8(ascii: ":")),
                let topicID = Int32(word[..<colon]), topicID > 0,
                let head = Offset(word[word.index(after: colon)...]),
                Self.numbers.contains(head)
            else { return nil }
            heads[topicID] = max(head, heads[topicID] ?? 0)
        }
        self.init(incarnation: String(words[0]), writer: writer, seq: seq, heads: heads)
    }

    /// What a sequence number or an offset may be.
    private static let numbers = 0...Limits.integerMax
}
