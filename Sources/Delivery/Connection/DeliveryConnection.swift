package import SessionProtocol

/// A connection that is delivered to, as its loop knows it; confined to the loop.
package protocol DeliveryConnection: AnyObject {
    /// Where it is in the loop's list, which alone sets this.
    var place: Int { get set }
    /// Bytes that wait for its socket.
    var backlogBytes: Int { get }
    /// The token on which it stands, if it stands on one.
    var tokenID: String? { get }
    /// Once a second: heartbeats, timeouts.
    func tick(now: ContinuousClock.Instant)
    /// The broker shuts down; the client is to come back after this long.
    func drain(reconnectAfter: Duration)
    /// Ends it for a reason from outside.
    func end(_ code: CloseCode)
}
