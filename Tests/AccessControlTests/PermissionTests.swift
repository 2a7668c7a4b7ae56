import AccessControl
import EventModel
import Testing

@Suite("What a sender may do") struct PermissionTests {
    static let senders: [Identity?] = [nil, Identity(tokenID: "t", name: "n", expires: nil)]

    @Test(arguments: senders) func `is everything on topics of users`(sender: Identity?) throws {
        let permission = Permission(of: sender)
        for name in ["a", "orders.eu", "sluice", "sluices.a"] {
            let topic = try TopicName(name)
            #expect(permission.may(publish: topic))
            #expect(permission.may(manage: topic))
            #expect(throws: Never.self) { try permission.checkPublish(to: topic, at: nil) }
            #expect(throws: Never.self) { try permission.checkManage(topic) }
        }
    }

    @Test(arguments: senders) func `is reading alone on those of the broker`(
        sender: Identity?
    ) throws {
        let permission = Permission(of: sender)
        let topic = try TopicName("sluice.node")
        #expect(!permission.may(publish: topic))
        #expect(!permission.may(manage: topic))
        #expect(throws: Never.self) { try permission.checkRead(topic) }
        let place = InputPlace(byte: 9, line: 2, field: "topic")
        let publish = #expect(throws: BrokerError.self) {
            try permission.checkPublish(to: topic, at: place)
        }
        #expect(publish?.code == .forbidden)
        #expect(publish?.at == place)
        let manage = #expect(throws: BrokerError.self) { try permission.checkManage(topic) }
        #expect(manage?.code == .forbidden)
    }

    @Test(arguments: [">", "a.*", "a", "sluice.>"])
    func `is to subscribe to every pattern as a whole`(text: String) throws {
        let pattern = try TopicPattern(text)
        #expect(Permission(of: nil).may(subscribe: pattern) == .all)
    }
}
