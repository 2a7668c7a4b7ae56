/// Where the broker is and what it asks for.
public struct ClientConfiguration: Sendable {
    /// Where the broker is.
    public var address: BrokerAddress
    /// A token, `slc_…`; `nil` for a broker without authentication.
    public var token: String?
    /// A PEM file of the authorities that the broker's certificate may come from, besides the
    /// system's.
    public var caFile: String?
    /// Whether any certificate is taken; for tests only, as anybody in between could read and
    /// change everything.
    public var isInsecure: Bool
    /// How long connecting and waiting for an answer may take.
    public var timeout: Duration

    /// Makes a configuration.
    public init(
        address: BrokerAddress, token: String? = nil, caFile: String? = nil,
        isInsecure: Bool = false, timeout: Duration = .seconds(30)
    ) {
        self.address = address
        self.token = token
        self.caFile = caFile
        self.isInsecure = isInsecure
        self.timeout = timeout
    }
}
