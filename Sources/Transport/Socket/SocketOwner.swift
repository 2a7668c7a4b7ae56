/// Who decides what a socket's bytes mean: HTTP, a stream, a client.
///
/// Called on the event loop.
protocol SocketOwner: AnyObject {
    /// The TLS handshake is complete, or the connection is plain: bytes can be sent.
    func opened()

    /// Plaintext, valid during the call only.
    func received(_ bytes: UnsafeRawBufferPointer)

    /// What had been waiting was flushed.
    func writable()

    /// The peer sends nothing more.
    func inputEnded()

    /// The socket's `deadline` has passed.
    func deadlineReached()

    /// Asked for with `callAtEndOfTurn`.
    func turnEnded()

    /// Nothing can be sent or received any more; called once, never from inside another call.
    func closed(_ error: (any Error)?)
}
