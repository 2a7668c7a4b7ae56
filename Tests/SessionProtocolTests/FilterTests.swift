import EventModel
import Filtering
import SessionProtocol
import Testing

private let price = #"$.price > 100 && $.symbol == "ACME""#
private let escaped = #"$.price > 100 && $.symbol == \"ACME\""#

private func subscribe(_ id: Int64, _ topic: String, filter: String) -> String {
    #"{"type":"subscribe","id":\#(id),"topic":"\#(topic)","filter":"\#(filter)"}"#
}

@Suite("A subscription with a filter") struct FilteredSubscriptionTests {
    private var session = Session()

    init() { _ = session.begin() }

    private func filter(_ text: String = price) throws -> EventFilter {
        try EventFilter(text, bytesMax: 4096)
    }

    @Test mutating func `has it parsed`() throws {
        let request = SubscribeRequest(id: 1, patterns: [try TopicPattern("a")], filter: price)
        #expect(
            session.says(subscribe(1, "a", filter: escaped))
                == [.subscribe(request, filter: try filter())])
    }

    @Test mutating func `shares it with what filters the same`() throws {
        let first = session.says(subscribe(1, "a", filter: escaped))
        let second = session.says(
            subscribe(2, "b", filter: #"(\"ACME\" == $.symbol)"#))
        let third = session.says(subscribe(3, "c", filter: #"$.symbol==\"ACME\""#))
        let filters = (first + second + third).map { action -> EventFilter? in
            guard case .subscribe(_, let filter) = action else { return nil }
            return filter
        }
        try #require(filters.count == 3)
        #expect(filters[0] !== filters[1] && filters[1] != nil && filters[1] === filters[2])
    }

    @Test mutating func `changes it, and gives it up with null`() throws {
        session.stands(subscribe(1, "a", filter: escaped), id: 1)
        #expect(
            session.says(#"{"type":"update","id":1,"filter":"$.a == 1"}"#) == [
                .update(
                    id: 1, SubscriptionChanges(filter: "$.a == 1"), filter: try filter("$.a == 1")),
                .send(.updated(id: 1)),
            ])
        #expect(
            session.says(#"{"type":"update","id":1,"filter":null,"max_rate":5}"#) == [
                .update(
                    id: 1, SubscriptionChanges(maxRate: 5, filter: .some(nil)), filter: .some(nil)),
                .send(.updated(id: 1)),
            ])
        #expect(
            session.says(#"{"type":"update","id":1,"max_rate":6}"#) == [
                .update(id: 1, SubscriptionChanges(maxRate: 6)), .send(.updated(id: 1)),
            ])
    }

    @Test(arguments: [
        ("$.active", 8), ("$.a = 1", 4), (#"$.a == \"b"#, 7), ("", 0), ("$.a == 1 &&", 11),
        ("é", 0), (#"$.ä == 1 & $.b"#, 10),
    ])
    mutating func `is refused with the byte of the filter at which it goes wrong`(
        filter: String, byte: Int
    ) {
        session.stands(#"{"type":"subscribe","id":1,"topic":"b"}"#, id: 1)
        let place = InputPlace(byte: byte, field: "filter")
        let first = session.isRefused(subscribe(9, "a", filter: filter))
        #expect(first?.code == "invalid_filter" && first?.at == place)
        #expect(first?.id == 9 && first?.to == "subscribe" && first?.retryAfter == nil)
        let second = session.isRefused(#"{"type":"update","id":1,"filter":"\#(filter)"}"#)
        #expect(second?.code == "invalid_filter" && second?.at == place)
        #expect(second?.id == 1 && second?.to == "update")
        // Nothing is left of it.
        #expect(session.says(subscribe(9, "a", filter: "$.a == 1")).count == 1)
    }

    @Test mutating func `is refused over the limit, which the welcome tells`() throws {
        var limits = Limits()
        limits.filterBytesMax = 100
        session = Session(limits: limits)
        guard case .send(.welcome(let welcome)) = session.begin().first else {
            Issue.record("no welcome")
            return
        }
        #expect(welcome.filterBytes == 100)
        let long = "$.a == 1" + String(repeating: " ", count: 92)
        #expect(session.says(subscribe(1, "a", filter: long)).count == 1)
        let error = session.isRefused(subscribe(2, "b", filter: long + " "))
        #expect(error?.code == "invalid_filter")
        #expect(error?.at == InputPlace(byte: 100, field: "filter"))
    }

    @Test mutating func `forgets the cursors that came ahead of it when it is refused`() {
        #expect(session.says(#"{"type":"cursors","id":1,"cursors":{"a":"e-1"}}"#) == [])
        #expect(session.isRefused(subscribe(1, "a", filter: "$.a"))?.code == "invalid_filter")
        let actions = session.says(#"{"type":"subscribe","id":1,"topic":"a"}"#)
        guard case .subscribe(let request, _) = actions.first else {
            Issue.record("\(actions)")
            return
        }
        #expect(request.cursors.isEmpty)
    }
}

@Suite("A stream with a filter") struct FilteredStreamTests {
    @Test func `has it in the query`() throws {
        let query = try StreamQuery(
            of: try topic("a"), items: [(name: "filter", value: price)], terms: terms())
        #expect(query.filter == (try EventFilter(price, bytesMax: 4096)))
        #expect(query.from == .latest)
    }

    @Test(arguments: [("$.active", 8), ("", 0), ("$.a == 'x'", 7)])
    func `is refused with the byte at which it goes wrong`(filter: String, byte: Int) {
        let error = #expect(throws: BrokerError.self) {
            try StreamQuery(
                of: try topic("a"), items: [(name: "filter", value: filter)], terms: terms())
        }
        #expect(error?.code == .invalidFilter)
        #expect(error?.at == InputPlace(byte: byte, field: "filter"))
    }
}
