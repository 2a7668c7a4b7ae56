internal import NIOCore
internal import NIOHTTP1

/// Bytes in, parts of requests out: NIO's decoder, begun anew wherever it stops.
///
/// NIO's decoder parses nothing behind a request that asks for an upgrade, as only its user knows
/// what comes there. What was received behind it is kept: it goes to the stream if the upgrade is
/// taken, and otherwise, as the next request, to a new decoder (RFC 9110 7.8).
///
/// Confined to its event loop. The parts go to the handler behind the one whose context is given.
final class RequestParser {
    private let limits: NIOHTTPDecoderLimitConfiguration
    private let undecodedBytesMax: Int
    private var decoder: HTTPRequestDecoder
    /// What is not parsed yet: a head that is incomplete, or what came behind a stop.
    private(set) var undecoded = ByteBuffer()
    /// Whether the decoder has stopped behind the last request.
    private(set) var isStopped = false
    private var stopsAtEnd = false

    init(_ limits: TransportLimits) {
        self.limits = NIOHTTPDecoderLimitConfiguration(limits)
        // White space in a head is waited for like the rest of it, but NIO does not count it.
        undecodedBytesMax = limits.headerBytesMax + TLSRecord.bytesMax
        decoder = HTTPRequestDecoder(limitConfiguration: self.limits)
    }

    /// To be called before anything is parsed; `end` has to follow, or the decoder leaks.
    func begin(_ context: ChannelHandlerContext) { decoder.decoderAdded(context: context) }

    func end(_ context: ChannelHandlerContext) { decoder.decoderRemoved(context: context) }

    /// Parses what has been received; at most a TLS record's worth at a time.
    ///
    /// - Throws: `HTTPParserError`; nothing more is to be parsed then.
    func parse(_ received: ByteBuffer, _ context: ChannelHandlerContext) throws {
        var bytes = received
        if undecoded.readableBytes > 0 {
            undecoded.writeBuffer(&bytes)
            bytes = undecoded
        }
        undecoded = ByteBuffer()
        _ = try decoder.decode(context: context, buffer: &bytes)
        guard bytes.readableBytes > 0 else { return }
        guard bytes.readableBytes <= undecodedBytesMax else { throw HTTPParserError.headerOverflow }
        // While requests keep coming in parts, this is never empty, and would keep all of them.
        if bytes.readerIndex > bytes.readableBytes { bytes.discardReadBytes() }
        undecoded = bytes
    }

    /// Takes note of what the decoder gave.
    func gave(_ part: HTTPServerRequestPart) {
        switch part {
        case .head(let head): stopsAtEnd = UpgradeMark(head) == .upgrade
        case .body: break
        case .end: isStopped = stopsAtEnd
        }
    }

    /// Begins anew behind the stop, and returns what is to be parsed there.
    func renew(_ context: ChannelHandlerContext) -> ByteBuffer {
        end(context)
        decoder = HTTPRequestDecoder(limitConfiguration: limits)
        begin(context)
        isStopped = false
        defer { undecoded = ByteBuffer() }
        return undecoded
    }
}

/// Whether NIO's decoder takes a request for one behind which another protocol begins.
///
/// NIO does not tell. It does so for CONNECT, and where a field `Upgrade` comes with an `upgrade`
/// among the words of `Connection` or `Proxy-Connection`, read more narrowly than RFC 9110 does.
enum UpgradeMark {
    /// It goes on.
    case none
    /// It stops.
    case upgrade
    /// It may do either, so nothing behind the request can be told from its end.
    case unclear

    init(_ head: HTTPRequestHead) {
        guard head.method != .CONNECT else {
            // What a client sends behind it is meant for somebody else.
            self = .unclear
            return
        }
        let upgrades = head.headers["upgrade"]
        guard !upgrades.isEmpty else {
            self = .none
            return
        }
        let connections = head.headers["connection"]
        let all = connections + head.headers["proxy-connection"]
        guard all.contains(where: { $0.lowercased().contains("upgrade") }) else {
            self = .none
            return
        }
        let isAsked = connections.contains { value in
            value.split(separator: ",").contains { word in
                word.drop { $0 == " " }.lowercased() == "upgrade"
            }
        }
        self = isAsked && upgrades.contains { !$0.isEmpty } ? .upgrade : .unclear
    }
}

extension NIOHTTPDecoderLimitConfiguration {
    init(_ limits: TransportLimits) {
        self.init()
        maxHeaderFieldSize = limits.headerBytesMax
        maxHeaderListSize = limits.headerBytesMax
        maxHeaderFieldCount = limits.headerCountMax
    }
}
