import AccessControl
import EventModel
import Testing

@Suite("What an identity may do") struct PermissionTests {
    private let identity = Identity(tokenID: "t1", name: "test", expires: nil)

    @Test func `is to publish to, manage and follow every topic of the users'`() throws {
        let topic = try TopicName("orders.eu")
        #expect(throws: Never.self) { try identity.may(publish: topic).require() }
        #expect(throws: Never.self) { try identity.may(manage: topic).require() }
        #expect(identity.may(subscribe: try TopicPattern("orders.>")) == .all)
    }

    @Test func `is not to publish to or manage the broker's own topics`() throws {
        let topic = try TopicName("sluice.stats")
        for permission in [identity.may(publish: topic), identity.may(manage: topic)] {
            let error = #expect(throws: BrokerError.self) { try permission.require() }
            #expect(error?.code == .forbidden)
            #expect(error?.message.contains("'sluice.stats' is reserved") == true)
        }
    }
}

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
