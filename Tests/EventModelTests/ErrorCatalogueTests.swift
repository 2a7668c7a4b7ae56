import EventModel
import Testing

@Suite("The error catalogue") struct ErrorCatalogueTests {
    @Test(arguments: ErrorCode.allCases)
    func `says what to do, and a status`(code: ErrorCode) {
        #expect(!code.remedy.isEmpty && !code.title.isEmpty)
        #expect((400...599).contains(code.httpStatus))
        #expect(code.rawValue.allSatisfy { $0.isLowercase || $0.isNumber || $0 == "_" })
    }

    @Test func `tells a time to retry if and only if retrying can help`() {
        for code in ErrorCode.allCases {
            #expect((BrokerError(code, "").retryAfter != nil) == code.isRetryable)
        }
    }
}
