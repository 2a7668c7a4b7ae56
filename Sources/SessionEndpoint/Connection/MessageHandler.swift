internal import SessionProtocol

/// What the messages of one connection mean: the session, or the single-topic stream.
///
/// Confined to the connection's loop.
protocol MessageHandler: AnyObject {
    /// The token that the client authenticated with, if it did.
    var tokenID: String? { get }
    /// Bytes of one message that the client may send now; never falls while the client may send.
    var messageBytesMax: Int { get }
    func received(text: [UInt8])
    func receivedBinary()
    /// Something went out meanwhile.
    func sent(now: ContinuousClock.Instant)
    func tick(now: ContinuousClock.Instant)
    /// The broker shuts down; the client is to come back after this long.
    func drain(reconnectAfter: Duration)
    /// Ends the conversation for a reason from outside.
    func end(_ code: CloseCode)
    /// The connection is over; nothing may be sent any more.
    func closed()
}
