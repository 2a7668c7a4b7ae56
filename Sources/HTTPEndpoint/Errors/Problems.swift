internal import EventModel
internal import Logging
internal import NIOHTTP1
internal import Transport

/// Words every refusal of the endpoint: gives it a request id, and logs what is the broker's fault.
struct Problems: Sendable {
    let requestID: @Sendable () -> String
    let logger: Logger

    /// A problem document, with what belongs to its code.
    ///
    /// The status is the code's own unless it is given; `members` are those of `ProblemDocument`.
    func answer(
        to error: BrokerError, head: HTTPRequestHead?, status: HTTPResponseStatus? = nil,
        headers: HTTPHeaders = [:], closes: Bool = false,
        members: [(StaticString, [UInt8])] = []
    ) -> HTTPAnswer {
        var problem = ProblemDocument(
            error, requestID: requestID(), status: status, headers: headers, closes: closes,
            members: members)
        if error.code == .unauthorized, head?.headers.contains(name: "authorization") == true {
            // RFC 6750 3.1: a token was sent, and it is not valid.
            problem.headers.add(
                name: "www-authenticate",
                value: #"Bearer realm="sluice", error="invalid_token""#)
        }
        if error.code == .internal {
            logger.error(
                "request failed",
                metadata: [
                    "request_id": "\(problem.requestID)", "reason": "\(error.message)",
                    "method": "\(head?.method.rawValue ?? "")",
                ])
        }
        return problem.answer
    }

    /// 426 must name the protocol (RFC 9110 15.5.22).
    func upgradeRequired(_ message: String, head: HTTPRequestHead) -> HTTPAnswer {
        answer(
            to: BrokerError(.upgradeRequired, message), head: head,
            headers: ["upgrade": "websocket"])
    }
}
