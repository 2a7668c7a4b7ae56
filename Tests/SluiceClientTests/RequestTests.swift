import EventModel
import Testing

@testable import SluiceClient

@Suite("A request of the client") struct RequestTests {
    private static let topic = #"{"topic":"a","durable":true,"earliest":1,"latest":0}"#

    /// Nobody listens there, so whatever was sent would be told as `unreachable`.
    private func nowhere(token: String? = nil) throws -> BrokerClient {
        try BrokerClient(
            ClientConfiguration(address: try BrokerAddress("http://127.0.0.1:1"), token: token))
    }

    @Test(arguments: ["", "a/../b", "a?b=c", "a HTTP/1.1\r\nX: y", "a%2E", "é", "a#b"])
    func `is not sent with a name that is none`(name: String) async throws {
        let client = try nowhere()
        let event = OutgoingEvent(topic: name, data: [0x31])
        let calls: [() async throws -> Void] = [
            { _ = try await client.publish(event) },
            { _ = try await client.publish([event]) },
            { _ = try await client.topic(name) },
            { _ = try await client.createTopic(name) },
            { _ = try await client.alterTopic(name, TopicOptions()) },
            { _ = try await client.deleteTopic(name) },
            { _ = try await client.purgeTopic(name, before: 1) },
            { _ = try await client.events(of: name, from: "earliest") },
            { _ = try await client.topics(after: name) },
        ]
        for call in calls {
            let error = await #expect(throws: SluiceError.self) { try await call() }
            #expect(error?.code == "invalid_topic")
        }
        let error = await #expect(throws: SluiceError.self) {
            try await client.topics(matching: name)
        }
        #expect(error?.code == "invalid_pattern")
    }

    @Test func `has a filter escaped`() throws {
        let target = RequestTarget.events(
            of: try TopicName("a"), from: .earliest, limit: 5, filter: "$.a == \"\r\nX: &y\"")
        #expect(
            target.text == "/v1/topics/a/events?from=earliest&limit=5&filter="
                + "%24.a%20%3D%3D%20%22%0D%0AX%3A%20%26y%22")
    }

    @Test func `is not sent with a filter that is none`() throws {
        let error = #expect(throws: SluiceError.self) {
            try nowhere().subscribe(to: ["a"], options: SubscribeOptions(filter: "$.active"))
        }
        #expect(error?.code == "invalid_filter" && error?.kind == .invalid && error?.byte == 8)
    }

    @Test(arguments: ["", "a\r\nX-Injected: b", "a\nb", "a\u{7F}", "\ta", " a", "a "])
    func `is not sent with an idempotency key that a header would change`(key: String) async throws
    {
        let client = try nowhere()
        let event = OutgoingEvent(topic: "a", data: [0x31])
        for events in [[event], [event, event]] {
            let error = await #expect(throws: SluiceError.self) {
                try await client.publish(events, idempotencyKey: key)
            }
            #expect(error?.code == "invalid_request")
        }
        let error = await #expect(throws: SluiceError.self) {
            try await client.publish(event, idempotencyKey: key)
        }
        #expect(error?.code == "invalid_request")
    }

    @Test(arguments: ["slc_a_b\n", "slc a", "slc\r\nX: y", "é"])
    func `never carries a token that is none`(token: String) {
        let error = #expect(throws: SluiceError.self) { try nowhere(token: token) }
        #expect(error?.code == "invalid_request")
        #expect(error?.description.contains("slc") == false)
    }

    @Test func `names a pattern in a form that a query can hold`() throws {
        let target = RequestTarget.topics(
            matching: try TopicPattern("a.*.>"), after: try TopicName("a.b"))
        #expect(target.text == "/v1/topics?match=a.*.%3E&after=a.b")
    }

    @Test func `that fails leaves a connection alone that another one opened meanwhile`()
        async throws
    {
        let broker = try await ScriptedBroker.start { input in
            switch input {
            // The first request is never answered.
            case .request("GET /v1/topics/slow HTTP/1.1", _): .silence
            default: .answer(status: "200 OK", json: Self.topic)
            }
        }
        let client = try broker.client()
        let slow = Task { try await client.topic("slow") }
        try await broker.received(.request("GET /v1/topics/slow HTTP/1.1", connection: 1))
        // What must not be sent twice has a connection of its own from the start.
        _ = try await client.createTopic("a")
        try await broker.close(connection: 1)
        let error = await #expect(throws: SluiceError.self) { try await slow.value }
        #expect(error?.code == "unreachable")
        _ = try await client.topic("a")
        #expect(
            broker.inputs.dropFirst() == [
                .request("PUT /v1/topics/a HTTP/1.1", connection: 2),
                .request("GET /v1/topics/a HTTP/1.1", connection: 2),
            ])
    }
}
