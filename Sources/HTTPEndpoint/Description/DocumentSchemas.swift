internal import EventModel
internal import SessionProtocol

/// The documents of HTTP (doc:HTTP), by the name under which the description has each.
enum DocumentSchemas {
    static func reference(_ name: String) -> JSONTree {
        ["$ref": .string("#/components/schemas/\(name)")]
    }

    static let named: [(name: String, schema: JSONTree)] = [
        ("Event", BrokerMessage.Kind.event.description.object.tree),
        ("Gap", BrokerMessage.Kind.gap.description.object.tree),
        ("Reset", BrokerMessage.Kind.reset.description.object.tree),
        ("EventPage", page.tree),
        ("Published", published.tree),
        (
            "PublishedMany",
            ObjectSchema([.required("results", JSONSchema.array(publishedLine.tree))]).tree
        ),
        ("PublishLine", publishLine.tree),
        (
            "Ticket",
            ObjectSchema([
                .required("ticket", JSONSchema.text, "It is good once."),
                .required("expires", JSONSchema.time),
            ]).tree
        ),
        ("Topic", topic.tree),
        ("TopicSettings", settings.tree),
        (
            "TopicList",
            ObjectSchema([
                .required("topics", JSONSchema.array(reference("Topic"))),
                .required(
                    "next", JSONSchema.orNull(JSONSchema.topic), "The next page is behind it."),
            ]).tree
        ),
        (
            "TopicPurge",
            ObjectSchema(topic.members + [.required("purged", JSONSchema.count)]).tree
        ),
        ("ErrorEntry", errorEntry.tree),
        (
            "ErrorList",
            ObjectSchema([.required("errors", JSONSchema.array(reference("ErrorEntry")))]).tree
        ),
        (
            "Health",
            ObjectSchema([.required("status", ["const": "ok"])]).tree
        ),
        (
            "Readiness",
            ObjectSchema([
                .required("status", ["const": "ready"]),
                .required("parts", JSONSchema.array(reference("LogPart"))),
            ]).tree
        ),
        ("LogPart", part.tree),
        ("Problem", problem.tree),
    ]

    static let page = ObjectSchema([
        .required("events", JSONSchema.array(reference("Event"))),
        .required("gaps", JSONSchema.array(reference("Gap"))),
        .required(
            "reset",
            JSONSchema.orNull(
                ObjectSchema([
                    .required("cursor", JSONSchema.cursor), .required("reason", JSONSchema.text),
                ]).tree)),
        .required("cursor", JSONSchema.cursor, "The next page is behind it."),
        .required("earliest", JSONSchema.count), .required("latest", JSONSchema.count),
        .required("caught_up", JSONSchema.boolean, "There was nothing behind the cursor."),
    ])

    static let published = ObjectSchema([
        .required("topic", JSONSchema.topic), .required("cursor", JSONSchema.cursor),
        .required("first_offset", JSONSchema.positive),
        .required("last_offset", JSONSchema.positive), .required("time", JSONSchema.time),
        .required("repeated", JSONSchema.boolean, "It was in the log already."),
    ])

    static let publishedLine = ObjectSchema([
        .required("topic", JSONSchema.topic), .required("offset", JSONSchema.positive),
        .required("cursor", JSONSchema.cursor), .required("time", JSONSchema.time),
        .required("repeated", JSONSchema.boolean),
    ])

    /// A line of `POST /v1/events`.
    static let publishLine = ObjectSchema(
        [
            .required("topic", JSONSchema.topic), .required("data", JSONSchema.any),
            .optional("key", JSONSchema.label), .optional("event_id", JSONSchema.label),
            .optional("attributes", JSONSchema.attributes),
        ], isClosed: true)

    private static let unlimited: JSONTree = ["const": "unlimited"]
    private static let duration: JSONTree = [
        "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$",
    ]

    private static func retain(_ bounds: [JSONTree]) -> [ObjectSchema.Member] {
        let age: JSONTree = ["anyOf": .array(bounds + [duration])]
        let number: JSONTree = ["anyOf": .array(bounds + [JSONSchema.positive])]
        return [.optional("age", age), .optional("count", number), .optional("bytes", number)]
    }

    private static func allRequired(_ members: [ObjectSchema.Member]) -> ObjectSchema {
        ObjectSchema(members.map { .required($0.name, $0.schema, $0.text) })
    }

    static let topic = ObjectSchema([
        .required("topic", JSONSchema.topic), .required("durable", JSONSchema.boolean),
        .required("retain", allRequired(retain([["type": "null"], unlimited])).tree),
        .required("event_bytes", JSONSchema.orNull(JSONSchema.positive)),
        .required("overflow", JSONSchema.orNull(JSONSchema.overflow)),
        .required("description", JSONSchema.text), .required("revision", JSONSchema.positive),
        .required("epoch", ["type": "string", "pattern": "^[0-9a-z]{1,16}$"]),
        .required("earliest", JSONSchema.count), .required("latest", JSONSchema.count),
        .required("bytes", JSONSchema.count), .required("created", JSONSchema.time),
        .required(
            "effective",
            ObjectSchema([
                .required("retain", allRequired(retain([unlimited])).tree),
                .required("event_bytes", JSONSchema.positive),
            ]).tree, "What holds with the server's defaults."),
    ])

    /// What PUT and PATCH take: a topic's members, of which those that only the broker sets are
    /// not looked at.
    static let settings = ObjectSchema(
        topic.members.map { member in
            switch member.name {
            case "topic": .optional("topic", JSONSchema.topic, "That of the path.")
            case "durable": .optional("durable", JSONSchema.boolean)
            case "retain":
                .optional(
                    "retain",
                    JSONSchema.orNull(
                        ObjectSchema(retain([["type": "null"], unlimited]), isClosed: true).tree))
            case "event_bytes":
                .optional(
                    "event_bytes",
                    JSONSchema.orNull(["type": "integer", "minimum": 1]))
            case "overflow": .optional("overflow", member.schema)
            case "description":
                .optional(
                    "description",
                    JSONSchema.orNull([
                        "type": "string",
                        "maxLength": .integer(Int64(TopicSettingsDocument.descriptionBytesMax)),
                    ]))
            default: .optional(member.name, JSONSchema.any, "Not looked at.")
            }
        }, isClosed: true)

    static let errorEntry = ObjectSchema([
        .required("code", JSONSchema.oneOf(ErrorCode.allCases.map(\.rawValue))),
        .required("type", JSONSchema.text), .required("status", ["type": "integer"]),
        .required("title", JSONSchema.text), .required("remedy", JSONSchema.text),
        .required("retryable", JSONSchema.boolean),
    ])

    static let part = ObjectSchema([
        .required("part", JSONSchema.text), .required("state", JSONSchema.text),
        .required("since", JSONSchema.time), .required("needed", JSONSchema.boolean),
        .optional("reason", JSONSchema.text), .optional("remedy", JSONSchema.text),
        .optional("error", JSONSchema.text),
    ])

    /// RFC 9457.
    static let problem = ObjectSchema([
        .required("type", JSONSchema.text, "What the code means is there."),
        .required("title", JSONSchema.text), .required("status", ["type": "integer"]),
        .required("detail", JSONSchema.text),
        .required("code", JSONSchema.oneOf(ErrorCode.allCases.map(\.rawValue))),
        .required("remedy", JSONSchema.text), .required("request_id", JSONSchema.text),
        .optional("at", JSONSchema.place, "The position in the input."),
        .optional("committed", JSONSchema.oneOf(["no", "unknown"]), "On publishes."),
        .optional("cursor", JSONSchema.cursor, "Where the head is, or where to go on."),
        .optional("parts", JSONSchema.array(reference("LogPart")), "Of /readyz."),
    ])
}
