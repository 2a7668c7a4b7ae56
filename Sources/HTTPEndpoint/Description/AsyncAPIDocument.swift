internal import EventModel
internal import SessionProtocol

/// The description of the session and of the single-topic stream (AsyncAPI 3.0), made of the
/// messages' own (`MessageDescription`).
struct AsyncAPIDocument {
    let routes: [Route]
    let version: String

    private let client = ClientMessage.Kind.allCases.map(\.description)
    private let broker = BrokerMessage.Kind.allCases.map(\.description)

    init(routes: [Route], version: String) {
        self.routes = routes
        self.version = version
    }

    var tree: JSONTree {
        [
            "asyncapi": "3.0.0",
            "info": [
                "title": "Sluice", "version": .string(version),
                "description":
                    .string(
                        "Sessions and streams over WebSockets, as the broker sees them: it hears "
                            + "what clients say. HTTP is described by /openapi.json."),
                "license": ["name": "Apache 2.0"],
            ],
            "defaultContentType": "application/json",
            "channels": .object(channels.map { ($0.name, channel($0)) }),
            "operations": .object(channels.flatMap(operations)),
            "components": [
                "messages": .object(
                    client.map { ("client_\($0.type)", message($0, of: "client")) }
                        + broker.map { ("broker_\($0.type)", message($0, of: "broker")) }
                        + streamed.map { ("stream_\($0.type)", message($0, of: "stream")) }),
                "securitySchemes": ["bearer": ["type": "http", "scheme": "bearer"]],
            ],
            "x-close-codes": closeCodes,
        ]
    }

    /// What a client may say on a stream, where nothing needs an `id`.
    private var streamed: [MessageDescription] { client.filter(\.isOfStream) }

    private struct Channel {
        let name: String
        let path: String
        let summary: String
        let received: [(name: String, key: String)]
        let sent: [(name: String, key: String)]
        let query: [RouteParameter]
    }

    private var channels: [Channel] {
        routes.compactMap { route in
            switch route.webSocket {
            case .session:
                Channel(
                    name: "session", path: route.path, summary: route.summary,
                    received: client.map { ($0.type, "client_\($0.type)") },
                    sent: broker.map { ($0.type, "broker_\($0.type)") },
                    query: route.webSocketQuery.members)
            case .stream:
                Channel(
                    name: "stream", path: route.path,
                    summary: "One topic's events, over a WebSocket.",
                    received: streamed.map { ($0.type, "stream_\($0.type)") },
                    sent: broker.filter(\.isOfStream).map { ($0.type, "broker_\($0.type)") },
                    query: route.webSocketQuery.members)
            case nil: nil
            }
        }
    }

    private func channel(_ channel: Channel) -> JSONTree {
        let messages = (channel.received + channel.sent).map { message in
            (message.key, ["$ref": .string("#/components/messages/\(message.key)")] as JSONTree)
        }
        let query = channel.query.map { member in
            (member.name, member.schema.with("description", .string(member.text)))
        }
        let topic: JSONTree? =
            channel.path.contains("{topic}")
            ? ["topic": ["description": "The topic's name."]] : nil
        return .members([
            ("address", .string(channel.path)), ("summary", .string(channel.summary)),
            ("messages", .object(messages)), ("parameters", topic),
            (
                "bindings",
                [
                    "ws": [
                        "method": "GET",
                        "query": ["type": "object", "properties": .object(query)],
                    ]
                ]
            ),
        ])
    }

    private func operations(_ channel: Channel) -> [(name: String, value: JSONTree)] {
        [("receive", "hears", channel.received), ("send", "says", channel.sent)].map {
            action, verb, messages in
            (
                "\(verb)_in_\(channel.name)",
                [
                    "action": .string(action),
                    "channel": ["$ref": .string("#/channels/\(channel.name)")],
                    "summary": .string("What the broker \(verb) in a \(channel.name)."),
                    "messages": .array(
                        messages.map { message in
                            [
                                "$ref": .string(
                                    "#/channels/\(channel.name)/messages/\(message.key)")
                            ]
                        }),
                ]
            )
        }
    }

    private func message(_ message: MessageDescription, of side: String) -> JSONTree {
        [
            "name": .string(message.type), "title": .string(message.type),
            "summary": .string(message.summary), "contentType": "application/json",
            "payload": message.schema(needsID: side != "stream"),
            "examples": .array(
                message.examples.map { example in
                    ["name": .string(example.name), "payload": .text(Array(example.text.utf8))]
                }),
        ]
    }

    /// With the code, its name, and what a client does then.
    private var closeCodes: JSONTree {
        .array(
            CloseCode.allCases.map { code in
                let then =
                    switch code.disposition {
                    case .reconnect: "reconnect"
                    case .newCredentials: "get new credentials"
                    case .stop: "stop"
                    }
                return [
                    "code": .integer(Int64(code.rawValue)), "name": .string(code.name),
                    "then": .string(then),
                ]
            })
    }
}
