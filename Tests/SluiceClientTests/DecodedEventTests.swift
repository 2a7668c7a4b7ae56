import FoundationEssentials
import SluiceClient
import Testing

private struct Order: Codable, Equatable, Sendable {
    var id: Int
    var placed: Date?
}

@Suite("Events as Swift values") struct DecodedEventTests {
    private static let welcome = """
        {"type":"welcome","protocol":"sluice.v1","session":"s_1","node":"n","version":"1",\
        "time":"2026-01-01T00:10:00.000000Z","heartbeat_ms":20000,"expires":null,"limits":{}}
        """

    private static func event(_ offset: Int, _ data: String) -> String {
        #"{"type":"event","topic":"orders.eu","offset":\#(offset),"cursor":"k3f9-\#(offset)","#
            + #""time":"2026-01-01T00:10:01.000000Z","data":\#(data)}"#
    }

    private func broker(_ data: String...) async throws -> ScriptedBroker {
        let messages = data.enumerated().map { Self.event($0.offset + 1, $0.element) }
        return try await ScriptedBroker.start { input in
            switch input {
            case .opened: .messages([Self.welcome])
            case .message(let text, _) where text.contains("subscribe"):
                .messages([#"{"type":"subscribed","id":1,"topics":{}}"#] + messages)
            case .message: .silence
            case .request:
                .answer(
                    status: "201 Created",
                    json: #"{"topic":"orders.eu","offset":1,"cursor":"k3f9-1"}"#)
            }
        }
    }

    @Test func `come one after another, and one that is none does not end them`() async throws {
        let broker = try await broker(#"{"id": 1}"#, #"{"id":"one"}"#, #"{"id":3}"#)
        var values: [Order?] = []
        var errors: [EventDecodingError] = []
        let orders = try broker.client().subscribe(to: "orders.>", as: Order.self)
        for try await event in orders.events {
            do { values.append(try event.value) } catch {
                values.append(nil)
                errors.append(error)
            }
            if event.offset == 1 { #expect(event.data == Array(#"{"id": 1}"#.utf8)) }
            if event.offset == 3 { break }
        }
        #expect(values == [Order(id: 1), nil, Order(id: 3)])
        #expect(errors.map(\.topic) == ["orders.eu"] && errors.map(\.offset) == [2])
        #expect(errors.first?.underlying is DecodingError)
    }

    @Test func `come among notices, so that gaps are seen`() async throws {
        let broker = try await broker(#"{"id":1}"#)
        var iterator = try broker.client().subscribe(to: ["orders.>"], as: Order.self)
            .makeAsyncIterator()
        guard case .notice(.subscribed, message: .some)? = try await iterator.next() else {
            throw TimedOut(what: "a notice")
        }
        #expect(try await iterator.next()?.event?.value == Order(id: 1))
    }

    @Test func `have dates as ISO 8601 texts`() async throws {
        let broker = try await broker(#"{"id":1,"placed":"1970-01-01T00:00:10Z"}"#)
        let client = try broker.client()
        let orders = try client.subscribe(to: "orders.>", as: Order.self)
        let placed = Order(id: 1, placed: Date(timeIntervalSince1970: 10))
        for try await event in orders.events {
            #expect(try event.value == placed)
            break
        }
        let event = try OutgoingEvent(topic: "orders.eu", encoding: placed)
        let text = String(decoding: event.data, as: UTF8.self)
        #expect(text.contains(#""placed":"1970-01-01T00:00:10Z""#))
        #expect(try await client.publish(placed, to: "orders.eu").offset == 1)
    }

    @Test func `are decoded by another decoder`() async throws {
        let broker = try await broker(#""text""#)
        let texts = try broker.client().subscribe(to: ["orders.>"]).decoded { data in
            String(decoding: data, as: UTF8.self)
        }
        for try await event in texts.events {
            #expect(try event.value == #""text""#)
            break
        }
    }
}
