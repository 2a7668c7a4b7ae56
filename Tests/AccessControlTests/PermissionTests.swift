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

    // MARK: By grants

    private func permission(
        publish: [String] = [], subscribe: [String] = [],
        admin: Set<Grants.AdminRight> = []
    ) throws -> Permission {
        let grants = Grants(
            publish: try publish.map { try TopicPattern($0) },
            subscribe: try subscribe.map { try TopicPattern($0) }, admin: admin)
        return Permission(of: Identity(tokenID: "t", name: "n", expires: nil, grants: grants))
    }

    @Test func `is nothing without grants`() throws {
        let permission = try permission()
        let topic = try TopicName("a.b")
        #expect(!permission.may(publish: topic))
        #expect(!permission.may(manage: topic))
        #expect(permission.may(subscribe: TopicPattern(topic)) == .none)
        #expect(permission.may(list: .everything) == .none)
    }

    @Test func `is to publish to what one of the patterns matches`() throws {
        let permission = try permission(publish: ["orders.>", "*.in"])
        for (name, expected) in [
            ("orders.eu", true), ("shop.in", true), ("orders", false), ("shop.out", false),
            ("sluice.in", false),
        ] {
            #expect(permission.may(publish: try TopicName(name)) == expected, "\(name)")
        }
        let refusal = #expect(throws: BrokerError.self) {
            try permission.checkPublish(to: TopicName("shop.out"), at: nil)
        }
        #expect(refusal?.code == .forbidden)
        #expect(refusal?.message == "The token does not allow to publish to shop.out.")
        #expect(permission.may(subscribe: .everything) == .none)
    }

    @Test(
        arguments: [
            (["orders.>"], "orders.>", nil), (["orders.>"], "orders.eu", nil),
            (["orders.>"], ">", ["orders.>"]), (["*.public.>"], "orders.>", ["orders.public.>"]),
            (["a.*", "a.b", "a.c"], "a.>", ["a.*"]), (["a.b", "a.c", "a.*"], "a.>", ["a.*"]),
            (["a", "b.>"], ">", ["a", "b.>"]), (["orders.>"], "shop.>", []),
            (["orders.>"], "sluice.>", []), ([">"], "sluice.>", []),
            (["sluice.>"], "sluice.a", nil),
        ] as [([String], String, [String]?)])
    func `is to read of a pattern what the grants have in common with it`(
        granted: [String], wanted: String, expected: [String]?
    ) throws {
        let scope: Permission.Scope =
            switch expected {
            case nil: .all
            case []: .none
            case .some(let patterns): .narrowed(try patterns.map { try TopicPattern($0) })
            }
        let permission = try permission(subscribe: granted)
        #expect(permission.may(subscribe: try TopicPattern(wanted)) == scope)
        #expect(permission.may(list: try TopicPattern(wanted)) == scope)
    }

    @Test func `to manage topics is to list all, and to read none`() throws {
        let permission = try permission(admin: [.topics])
        let topic = try TopicName("a.b")
        #expect(permission.may(manage: topic))
        #expect(!permission.may(manage: try TopicName("sluice.a")))
        #expect(permission.may(list: .everything) == .all)
        #expect(permission.may(list: .reserved) == .none)
        #expect(throws: Never.self) { try permission.checkList(topic) }
        let refusal = #expect(throws: BrokerError.self) { try permission.checkRead(topic) }
        #expect(refusal?.code == .forbidden)
    }
}
