import AccessControl
import EventModel
import Testing

@Suite("The header Authorization") struct BearerTokenTests {
    @Test(arguments: ["Bearer a.b-c", "bearer a.b-c", "BEARER  a.b-c \t"])
    func `gives the token, however the scheme is written`(field: String) throws {
        #expect(try BearerToken.find(in: [field]) == "a.b-c")
    }

    @Test func `may be absent`() throws { #expect(try BearerToken.find(in: []) == nil) }

    @Test(arguments: [
        ["Basic x"], ["Bearer"], ["Bearer "], ["Bearer a b"], ["Bearer a,b"], ["Bearer ä"], [""],
        ["Bearer a", "Bearer a"],
    ]) func `is refused when it is anything else, never telling it`(fields: [String]) {
        let error = #expect(throws: BrokerError.self) { try BearerToken.find(in: fields) }
        #expect(error?.code == .unauthorized)
        #expect(error?.message.contains("Bearer a") == false)
    }
}
