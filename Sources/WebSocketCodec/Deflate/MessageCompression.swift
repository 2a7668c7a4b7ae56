package import ZlibBridge

/// What deflates and inflates a connection's messages, as it was agreed (RFC 7692 6).
///
/// Those without context may serve all the connections of a loop; then a connection holds nothing
/// between its messages.
package struct MessageCompression {
    let deflater: Deflater
    let inflater: Inflater
    /// Messages under so many bytes go as they are: they hardly become shorter.
    let bytesMin: Int

    /// The bytes from which on a message gains by being deflated: an event's envelope alone is
    /// less.
    package static let bytesMin = 128

    package init(deflater: Deflater, inflater: Inflater, bytesMin: Int = Self.bytesMin) {
        self.deflater = deflater
        self.inflater = inflater
        self.bytesMin = bytesMin
    }

    /// Without context, for all the connections of a thread.
    package init() { self.init(deflater: Deflater(), inflater: Inflater()) }

    /// For one connection only.
    package init(
        _ terms: DeflateTerms, role: WebSocketRole, level: Int = 1, bytesMin: Int = Self.bytesMin
    ) {
        let isServer = role == .server
        let server = (bits: terms.serverWindowBits, keeps: terms.serverKeepsContext)
        let client = (bits: terms.clientWindowBits, keeps: terms.clientKeepsContext)
        let (own, peer) = isServer ? (server, client) : (client, server)
        self.init(
            deflater: Deflater(level: level, windowBits: own.bits, keepsContext: own.keeps),
            inflater: Inflater(windowBits: peer.bits, keepsContext: peer.keeps),
            bytesMin: bytesMin)
    }

    /// What a message's frame carries: deflated if that makes it shorter.
    package func payload(of message: [UInt8]) -> (bytes: [UInt8], isCompressed: Bool) {
        deflater.payload(of: message, bytesMin: bytesMin)
    }
}

extension Deflater {
    /// What a message's frame carries: from `bytesMin` bytes on deflated, if that makes it shorter.
    func payload(of message: [UInt8], bytesMin: Int) -> (bytes: [UInt8], isCompressed: Bool) {
        guard message.count >= bytesMin else { return (message, false) }
        let deflated = deflate(message)
        // Later messages may refer to what was deflated with context, so that must be sent.
        let isShorter = deflated.count < message.count || keepsContext
        return isShorter ? (deflated, true) : (message, false)
    }
}
