import EventModel
import NIOHTTP1
import Testing
import Transport

@testable import HTTPEndpoint

@Suite("The parts of a request") struct RequestPartsTests {
    @Test func `percent-encoding is read and written`() {
        #expect(percentDecoded("a%2eb%2Fc+%C3%A4") == "a.b/c+ä")
        for broken in ["%", "%4", "%zz", "a%c3"] { #expect(percentDecoded(broken[...]) == nil) }
        #expect(percentEncoded("a.*>ä~") == "a.%2A%3E%C3%A4~")
    }

    @Test(arguments: [
        (HTTPFault.badRequest("x"), 400, "invalid_request"),
        (.headersTooLarge, 431, "headers_too_large"),
        (.uriTooLong, 414, "headers_too_large"),
        (.bodyTooLarge(bodyBytesMax: 5), 413, "body_too_large"),
        (.requestTimeout, 408, "request_timeout"), (.expectationFailed, 417, "invalid_request"),
        (.versionNotSupported, 505, "invalid_request"), (.unanswered, 500, "internal"),
    ]) func `what the transport refuses is a problem document too`(
        fault: HTTPFault, status: UInt, code: String
    ) {
        let head = HTTPRequestHead(version: .http1_1, method: .POST, uri: "/v1/events")
        let answer = BrokerFixture.Answer(BrokerFixture().broker.refuse(fault, head: head))
        #expect(answer.status == status && answer.code == code)
        #expect(answer.body.contains(#""status":\#(status)"#))
        #expect(answer.body.contains(#""committed":"no""#))
    }
}
