package import NIOHTTP1

/// An answer of any length: a head, and then the connection's bytes at the socket's pace.
///
/// An upgrade is the same with 101.
/// No further request is read from the connection.
package struct HTTPStream {
    package let status: HTTPResponseStatus
    /// With 101 all headers of the answer; otherwise Date, Connection and the body's framing are
    /// the transport's.
    package let headers: HTTPHeaders
    /// Called on the event loop, when the head has left and the HTTP handler is gone.
    ///
    /// With 101, what the client sent behind the request is delivered after it. Never called when
    /// the connection ends before, nor for HEAD.
    package let open: (StreamConnection) -> any StreamHandler

    package init(
        status: HTTPResponseStatus = .ok, headers: HTTPHeaders,
        open: @escaping (StreamConnection) -> any StreamHandler
    ) {
        self.status = status
        self.headers = headers
        self.open = open
    }

    /// How the end of the body is told (RFC 9112 6.3).
    func framing(for request: AnswerQueue.Request) -> StreamFraming {
        status == .switchingProtocols || request.isVersion10 ? .none : .chunked
    }
}

/// The answer to a request.
package enum HTTPReply {
    case answer(HTTPAnswer)
    case stream(HTTPStream)
}

/// What is put around the bytes of a stream.
enum StreamFraming {
    case none
    /// RFC 9112 7.1.
    case chunked
}
