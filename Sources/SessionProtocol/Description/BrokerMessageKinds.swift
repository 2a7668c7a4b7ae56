internal import EventModel

extension BrokerMessage {
    /// The types of messages that the broker says.
    package enum Kind: String, CaseIterable, Sendable {
        case welcome, authenticated, subscribed, event, live, lagging, gap, reset, cursor
        case published, unsubscribed, updated, error, pong, heartbeat, closing

        /// What it is; its members are in the encoder's order.
        package var description: MessageDescription {
            switch self {
            case .welcome: Self.welcomeDescription
            case .authenticated: Self.authenticatedDescription
            case .subscribed: Self.subscribedDescription
            case .event: Self.eventDescription
            case .live: Self.liveDescription
            case .lagging: Self.laggingDescription
            case .gap: Self.gapDescription
            case .reset: Self.resetDescription
            case .cursor: Self.cursorDescription
            case .published: Self.publishedDescription
            case .unsubscribed: Self.unsubscribedDescription
            case .updated: Self.updatedDescription
            case .error: Self.errorDescription
            case .pong: Self.pongDescription
            case .heartbeat: Self.heartbeatDescription
            case .closing: Self.closingDescription
            }
        }
    }

    package var kind: Kind {
        switch self {
        case .welcome: .welcome
        case .authenticated: .authenticated
        case .subscribed: .subscribed
        case .event: .event
        case .live: .live
        case .lagging: .lagging
        case .gap: .gap
        case .reset: .reset
        case .cursor: .cursor
        case .published: .published
        case .unsubscribed: .unsubscribed
        case .updated: .updated
        case .error: .error
        case .pong: .pong
        case .heartbeat: .heartbeat
        case .closing: .closing
        }
    }
}

extension BrokerMessage.Kind {
    private static let id = ObjectSchema.Member.required(
        "id", JSONSchema.id, "The request that this answers, or the subscription.")
    /// On a stream there is none.
    private static let streamsID = ObjectSchema.Member.optional("id", JSONSchema.id)
    private static let topic = ObjectSchema.Member.required("topic", JSONSchema.topic)
    private static let place = ObjectSchema.Member.required("cursor", JSONSchema.cursor)
    private static let time = ObjectSchema.Member.required("time", JSONSchema.time)

    private static let welcomeDescription = MessageDescription(
        "welcome", "The first message of a session, once it is authenticated.",
        [
            .required("protocol", ["const": "sluice.v1"]),
            .required("session", JSONSchema.text), .required("node", JSONSchema.text),
            .required("version", JSONSchema.text), time,
            .required("heartbeat_ms", JSONSchema.count, "Reconnect after twice this of silence."),
            .required("expires", JSONSchema.orNull(JSONSchema.time), "When the token does."),
            .required(
                "limits",
                ObjectSchema(
                    [
                        "message_bytes", "event_bytes", "subscriptions", "topics_per_subscribe",
                        "filter_bytes",
                    ].map { .required($0, JSONSchema.count) }
                ).tree),
        ],
        examples: [
            (
                "",
                #"{"type":"welcome","protocol":"sluice.v1","session":"s_8f","node":"n1","#
                    + #""version":"1.0.0","time":"2026-01-01T00:00:00.000000Z","#
                    + #""heartbeat_ms":20000,"expires":null,"limits":{"message_bytes":2097152,"#
                    + #""event_bytes":1048576,"subscriptions":1000,"topics_per_subscribe":10000,"#
                    + #""filter_bytes":4096}}"#
            )
        ])

    private static let authenticatedDescription = MessageDescription(
        "authenticated", "The token of an auth holds.",
        [streamsID, .required("expires", JSONSchema.orNull(JSONSchema.time))],
        examples: [
            ("", #"{"type":"authenticated","expires":"2026-01-01T00:00:00.000000Z"}"#),
            ("with_id", #"{"type":"authenticated","id":4,"expires":null}"#),
        ])

    private static let subscribedDescription = MessageDescription(
        "subscribed", "A subscription stands; nothing of it comes before this.",
        [
            id,
            .required(
                "topics",
                [
                    "type": "object",
                    "additionalProperties": ObjectSchema([
                        .required("cursor", JSONSchema.orNull(JSONSchema.cursor)),
                        .required("earliest", JSONSchema.count),
                        .required("latest", JSONSchema.count),
                    ]).tree,
                ], "Exact names only. A cursor is null where the topic does not exist yet."),
            .optional("resume_from", JSONSchema.text, "Where topics resume that were never seen."),
            .optional("granted", JSONSchema.array(JSONSchema.pattern), "If they are fewer."),
        ],
        examples: [
            (
                "",
                #"{"type":"subscribed","id":1,"topics":{"orders.eu":{"cursor":"k3f9-17","#
                    + #""earliest":3,"latest":42},"new":{"cursor":null,"earliest":1,"latest":0}},"#
                    + #""resume_from":"mark:latest.k3f9.2dqf4"}"#
            ),
            (
                "granted",
                #"{"type":"subscribed","id":1,"topics":{},"granted":["orders.eu.>"]}"#
            ),
        ])

    private static let eventDescription = MessageDescription(
        "event", "An event; 'data' is last, and kept byte for byte.", isOfStream: true,
        [
            topic, .required("offset", JSONSchema.positive), place, time,
            .optional("key", JSONSchema.label), .optional("event_id", JSONSchema.label),
            .optional("attributes", JSONSchema.attributes), .required("data", JSONSchema.any),
        ],
        examples: [
            (
                "",
                #"{"type":"event","topic":"orders.eu","offset":18,"cursor":"k3f9-18","#
                    + #""time":"2026-01-01T00:00:00.000000Z","data":{"price":1.10}}"#
            ),
            (
                "full",
                #"{"type":"event","topic":"orders.eu","offset":18,"cursor":"k3f9-18","#
                    + #""time":"2026-01-01T00:00:00.000000Z","key":"42","event_id":"a1","#
                    + #""attributes":{"x":"y"},"data":{ "n" : [1, 2.50] }}"#
            ),
        ])

    private static let liveDescription = MessageDescription(
        "live", "No topic of the subscription is replaying any more.", isOfStream: true,
        [streamsID],
        examples: [("", #"{"type":"live","id":1}"#), ("of_stream", #"{"type":"live"}"#)])

    private static let laggingDescription = MessageDescription(
        "lagging", "The subscription's first topic left live: it is replayed.", isOfStream: true,
        [streamsID, .required("behind", JSONSchema.count, "Events, over all its topics.")],
        examples: [
            ("", #"{"type":"lagging","id":1,"behind":5210}"#),
            ("of_stream", #"{"type":"lagging","behind":5210}"#),
        ])

    private static let gapDescription = MessageDescription(
        "gap", "Offsets that do not come; 'cursor' is behind them.", isOfStream: true,
        [
            topic, .required("from", JSONSchema.positive), .required("to", JSONSchema.positive),
            place,
            .required(
                "reason",
                .members([
                    ("type", "string"),
                    ("examples", .strings(GapReason.allCases.map(\.rawValue))),
                ])),
        ],
        examples: GapReason.allCases.map { reason in
            (
                reason.rawValue,
                #"{"type":"gap","topic":"orders.eu","from":19,"to":30,"cursor":"k3f9-30","#
                    + #""reason":"\#(reason.rawValue)"}"#
            )
        })

    private static let resetDescription = MessageDescription(
        "reset", "The position does not hold any more; delivery goes on behind 'cursor'.",
        isOfStream: true,
        [
            topic,
            .required(
                "cursor", JSONSchema.orNull(JSONSchema.cursor), "null: the topic was deleted."),
            .required(
                "reason",
                .members([
                    ("type", "string"),
                    ("examples", .strings(ResetReason.allCases.map(\.rawValue))),
                ])),
        ],
        examples: ResetReason.allCases.map { reason in
            let cursor = reason == .deleted ? "null" : #""m1-0""#
            return (
                reason.rawValue,
                #"{"type":"reset","topic":"orders.eu","cursor":\#(cursor),"#
                    + #""reason":"\#(reason.rawValue)"}"#
            )
        })

    private static let cursorDescription = MessageDescription(
        "cursor", "Progress through events that a filter left out.", isOfStream: true,
        [.required("cursors", JSONSchema.cursors)],
        examples: [("", #"{"type":"cursor","cursors":{"a":"k3f9-1","orders.eu":"k3f9-9000"}}"#)])

    private static let publishedDescription = MessageDescription(
        "published", "A publish is committed.",
        [
            id, topic, .required("offset", JSONSchema.positive), place, time,
            .required("repeated", JSONSchema.boolean, "It was in the log already."),
        ],
        examples: [
            (
                "",
                #"{"type":"published","id":2,"topic":"orders.eu","offset":42,"cursor":"k3f9-42","#
                    + #""time":"2026-01-01T00:00:00.000000Z","repeated":false}"#
            )
        ])

    private static let unsubscribedDescription = MessageDescription(
        "unsubscribed", "A subscription has ended; with the reason, if the broker ended it.",
        [
            id, .optional("code", JSONSchema.text), .optional("message", JSONSchema.text),
            .optional("remedy", JSONSchema.text),
        ],
        examples: [
            ("", #"{"type":"unsubscribed","id":1}"#),
            (
                "by_broker",
                #"{"type":"unsubscribed","id":1,"code":"grant_revoked","#
                    + #""message":"The right to orders.> was revoked.","#
                    + #""remedy":"Ask for a token that allows it."}"#
            ),
        ])

    private static let updatedDescription = MessageDescription(
        "updated", "An update holds.", [id], examples: [("", #"{"type":"updated","id":1}"#)])

    private static let errorDescription = MessageDescription(
        "error", "A request was refused, or failed.", isOfStream: true,
        [
            streamsID, .optional("to", JSONSchema.text, "The request's type."),
            .required("code", JSONSchema.text, "One of /v1/errors."),
            .required("message", JSONSchema.text), .required("remedy", JSONSchema.text),
            .optional("retry_after_ms", JSONSchema.count, "If trying again can help."),
            .optional("cursor", JSONSchema.cursor, "Where the head is, with head_moved."),
            .optional("at", JSONSchema.place, "The position in the input."),
        ],
        examples: [
            (
                "",
                #"{"type":"error","id":2,"to":"publish","code":"rate_limited","message":"Slow.","#
                    + #""remedy":"Wait.","retry_after_ms":500}"#
            ),
            (
                "with_place",
                #"{"type":"error","code":"invalid_json","message":"No.","remedy":"Do.","#
                    + #""at":{"byte":17,"line":2,"field":"data"}}"#
            ),
            (
                "head_moved",
                #"{"type":"error","id":2,"to":"publish","code":"head_moved","message":"No.","#
                    + #""remedy":"Read.","cursor":"k3f9-42"}"#
            ),
        ])

    private static let pongDescription = MessageDescription(
        "pong", "The answer to a ping.", isOfStream: true, [streamsID, time],
        examples: [
            ("", #"{"type":"pong","id":3,"time":"2026-01-01T00:00:00.000000Z"}"#),
            ("of_stream", #"{"type":"pong","time":"2026-01-01T00:00:00.000000Z"}"#),
        ])

    private static let heartbeatDescription = MessageDescription(
        "heartbeat", "Nothing else went out for a while.", isOfStream: true, [time],
        examples: [("", #"{"type":"heartbeat","time":"2026-01-01T00:00:00.000000Z"}"#)])

    private static let closingDescription = MessageDescription(
        "closing", "The connection is about to end.", isOfStream: true,
        [
            .required("code", ["type": "integer", "minimum": 1000, "maximum": 4999]),
            .required("reason", JSONSchema.text, "The code's name."),
            .required(
                "reconnect_after_ms", JSONSchema.orNull(JSONSchema.count),
                "null: coming back as before can't help."),
        ],
        examples: [
            ("", #"{"type":"closing","code":4001,"reason":"drain","reconnect_after_ms":3200}"#),
            (
                "for_good",
                #"{"type":"closing","code":4502,"reason":"too_many_errors","#
                    + #""reconnect_after_ms":null}"#
            ),
        ])
}
