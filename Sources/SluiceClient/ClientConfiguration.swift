/// Where the broker is and what it asks for.
public struct ClientConfiguration: Sendable {
    /// Where the broker is.
    public var address: BrokerAddress
    /// A token, `slc_…`; `nil` for a broker without authentication.
    ///
    /// It is shown as long as the client lives; a `tokenSource` is for those that end earlier.
    public var token: String?
    /// Where tokens come from, instead of `token`.
    public var tokenSource: TokenSource?
    /// A PEM file of the authorities that the broker's certificate may come from, besides the
    /// system's.
    public var caFile: String?
    /// Whether any certificate is taken; for tests only, as anybody in between could read and
    /// change everything.
    public var isInsecure: Bool
    /// Whether subscriptions ask for deflated messages (RFC 7692).
    ///
    /// Off by default: it is for links that are slow or paid for. Events of 207 bytes came to 159
    /// and cost 2 us more here and 8 us more at the broker; those of 1,888 bytes came to 472 and
    /// cost 7 us and 15 us more (one subscriber of `client-figures`, with `--deflate`; the broker
    /// deflates a live event once for all who get it so). What comes is the same, byte for byte.
    public var isCompressed: Bool
    /// How long connecting and waiting for an answer may take.
    public var timeout: Duration

    /// Makes a configuration.
    ///
    /// - Parameters:
    ///   - address: Where the broker is.
    ///   - token: What is shown to it, unless there is a `tokenSource`.
    ///   - tokenSource: Where tokens come from that do not last.
    ///   - caFile: A PEM file of authorities, besides the system's.
    ///   - isInsecure: Whether any certificate is taken.
    ///   - isCompressed: Whether subscriptions ask for deflated messages.
    ///   - timeout: How long connecting and waiting for an answer may take.
    public init(
        address: BrokerAddress, token: String? = nil, tokenSource: TokenSource? = nil,
        caFile: String? = nil, isInsecure: Bool = false, isCompressed: Bool = false,
        timeout: Duration = .seconds(30)
    ) {
        self.address = address
        self.token = token
        self.tokenSource = tokenSource
        self.caFile = caFile
        self.isInsecure = isInsecure
        self.isCompressed = isCompressed
        self.timeout = timeout
    }
}

extension ClientConfiguration: CustomStringConvertible, CustomReflectable {
    /// The broker's address; the token is in no text of a configuration.
    public var description: String { "\(address)" }

    /// The address alone, so that `dump` and a debugger do not show the token either.
    public var customMirror: Mirror { Mirror(self, children: ["address": address]) }
}
