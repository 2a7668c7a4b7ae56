import EventModel
import SessionProtocol
import Testing

private let mark = "mark:latest.aaaaaaaaaa.abc"

@Suite("The query of a stream over topics") struct TopicsQueryTests {
    private func query(
        _ items: [(String, String)], lastEventID: String? = nil, limits: Limits = Limits()
    ) throws -> StreamQuery {
        try StreamQuery(
            items: items.map { (name: $0.0, value: $0.1) }, lastEventID: lastEventID,
            terms: terms(limits: limits))
    }

    @Test func `names topics and patterns, each as often as it likes`() throws {
        let query = try query([
            ("topic", "orders.>"), ("from", "last:3"), ("topic", "a"), ("topic", "a"),
            ("view", "data"),
        ])
        #expect(query.patterns.map(\.text) == ["orders.>", "a", "a"])
        #expect(query.from == .last(3))
        #expect(query.view == .data)
        #expect(!query.isResumed)
    }

    @Test func `goes on at a position, without topics that it does not have`() throws {
        let text = "at:1~\(mark)~0b~1.2~0a~1.1~0x.y~2.1~0z~3.1"
        let items = [("topic", "a"), ("topic", "x.*"), ("topic", "b")]
        let expected = [
            try topic("a"): try cursor("aaaaaaaaaa1-1"),
            try topic("b"): try cursor("aaaaaaaaaa1-2"),
            try topic("x.y"): try cursor("aaaaaaaaaa2-1"),
        ]
        for query in [
            try query(items + [("from", text)]),
            try query(items + [("from", "latest"), ("cursor", "a:e-5")], lastEventID: text),
        ] {
            #expect(query.from == (try StartPosition(mark)))
            #expect(query.cursors == expected)
            #expect(query.isResumed)
        }
        let own = try query(items + [("cursor", "a:e-5"), ("from", text)])
        #expect(own.cursors[try topic("a")] == (try cursor("e-5")))
        #expect(own.cursors[try topic("b")] == (try cursor("aaaaaaaaaa1-2")))
    }

    @Test func `may have 'offset' and 'after' for one topic`() throws {
        #expect(try query([("topic", "a"), ("from", "offset:3")]).from == .offset(3))
        #expect(
            try query([("topic", "a")], lastEventID: "at:1~offset:3").from == .offset(3))
    }

    @Test(
        arguments: [
            ([], ErrorCode.invalidRequest, "topic"),
            ([("topic", "a..b")], .invalidPattern, "topic"),
            (
                [("topic", "a"), ("topic", "b"), ("topic", "c"), ("topic", "d")], .invalidRequest,
                "topic"
            ),
            ([("topic", "a.*"), ("topic", "b.*"), ("topic", "c.*")], .invalidRequest, "topic"),
            ([("topic", "a"), ("topic", "b"), ("from", "offset:1")], .invalidStart, "from"),
            ([("topic", "a.*"), ("from", "after:e-1")], .invalidStart, "from"),
            ([("topic", "a"), ("from", "at:1~x")], .invalidStart, "from"),
            ([("topic", "a"), ("from", "latest"), ("from", "latest")], .unknownField, "from"),
            ([("topic", "a"), ("cursor", "b:e-1")], .invalidRequest, "cursor"),
            ([("topic", "a"), ("cursor", "a")], .invalidRequest, "cursor"),
            ([("topic", "a"), ("cursor", "a:x")], .invalidRequest, "cursor"),
            (
                [("topic", "a"), ("cursor", "a:e-1"), ("cursor", "a:e-2")], .invalidRequest,
                "cursor"
            ),
            ([("topic", "a"), ("view", "all")], .invalidRequest, "view"),
            ([("topic", "a"), ("limit", "1")], .unknownField, "limit"),
            ([("topic", "a"), ("follow", "")], .unknownField, "follow"),
        ] as [([(String, String)], ErrorCode, String)])
    func `is refused by the item's name`(
        items: [(String, String)], code: ErrorCode, field: String
    ) {
        var limits = Limits()
        limits.topicsPerSubscribeMax = 3
        limits.wildcardsMax = 2
        let error = #expect(throws: BrokerError.self) { try query(items, limits: limits) }
        #expect(error?.code == code)
        #expect(error?.at?.field == field)
    }

    @Test(arguments: ["", "aaaaaaaaaa1-1", "offset:1", "latest", "at:1~latest", "at:9~earliest"])
    func `is refused with a Last-Event-ID that no broker gave`(id: String) {
        let error = #expect(throws: BrokerError.self) {
            try query([("topic", "a")], lastEventID: id)
        }
        #expect(error?.code == .invalidStart)
        #expect(error?.at?.field == "Last-Event-ID")
    }
}
