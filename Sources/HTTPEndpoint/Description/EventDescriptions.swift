internal import EventModel
internal import SessionProtocol

/// What the routes of events take and answer, in the words of the description.
enum EventDescriptions {
    // MARK: Publishing

    static let idempotencyKey = RouteParameter(
        "Idempotency-Key", "The same request is appended once.", JSONSchema.label)

    static let publishHeaders = [
        idempotencyKey,
        RouteParameter("Sluice-Event-Id", "The event's own id; of JSON only.", JSONSchema.label),
        RouteParameter(
            "Sluice-Key", "The event's key, or that of every line.", JSONSchema.label),
        RouteParameter(
            "If-Match", "Appends only if the topic's head is at this cursor, in quotes.",
            ["type": "string", "pattern": "^\"[0-9a-z]{1,16}-(0|[1-9][0-9]{0,15})\"$"]),
        RouteParameter(
            "If-None-Match", "'*': appends only if nothing was ever published there.",
            ["const": "*"]),
    ]

    static let publishBodies: [MediaType: JSONTree] = [
        .json: ["description": "One event; an array is one event, too."],
        .ndjson: ["description": "Each line is the data of one event."],
        .cloudEvent: ["type": "object", "description": "A CloudEvent in the JSON format."],
        .cloudEventBatch: JSONSchema.array(["type": "object"]),
    ]

    static let published = [
        RouteResult(
            status: 201, text: "The events are committed; of a batch, each has a result.",
            content: [
                .init(
                    .json,
                    [
                        "anyOf": [
                            DocumentSchemas.reference("Published"),
                            DocumentSchemas.reference("PublishedMany"),
                        ]
                    ],
                    example: #"{"topic":"orders.eu","cursor":"k3f9-42","first_offset":42,"#
                        + #""last_offset":42,"time":"2026-01-01T00:00:00.000000Z","#
                        + #""repeated":false}"#)
            ], headers: ["ETag", "Location"]),
        RouteResult.json("The batch was empty.", "PublishedMany"),
    ]

    static let publishedMany = RouteResult.json(
        "The events are committed.", "PublishedMany", status: 201,
        example: #"{"results":[{"topic":"orders.eu","offset":42,"cursor":"k3f9-42","#
            + #""time":"2026-01-01T00:00:00.000000Z","repeated":false}]}"#)

    // MARK: Reading

    static let ifNoneMatch = RouteParameter(
        "If-None-Match", "The ETag that is known.", JSONSchema.text)

    static let lastEventID = RouteParameter(
        "Last-Event-ID", "Of server-sent events: where to go on; it beats 'from'.",
        JSONSchema.text)

    private static let from = RouteParameter(
        "from", "Where it begins; a page at 'earliest', a stream at 'latest' without it.",
        JSONSchema.start)
    private static let filter = RouteParameter(
        "filter", "A condition on events, a predicate of SQL/JSON path.",
        ["type": "string", "maxLength": 4096, "examples": ["$.price > 100"]])

    private static let view = RouteParameter(
        "view", "'data': bare data, without cursors, gaps and resets.",
        JSONSchema.oneOf(StreamView.allCases.map(\.rawValue)))

    static func pageQuery(_ limits: Limits) -> RouteQuery {
        [
            from,
            RouteParameter(
                "limit", "Events of the page.",
                [
                    "type": "integer", "minimum": 1,
                    "maximum": .integer(Int64(limits.pageEventsMax)),
                ]),
            filter,
            RouteParameter(
                "follow", "'true' or nothing: a stream of lines, or of server-sent events.",
                JSONSchema.oneOf(["true", "false", ""])),
            view,
            RouteParameter(
                "wait", "How long a page that has nothing to tell waits, at most 60s.",
                ["type": "string", "pattern": "^[0-9]{1,5}(ms|s|m)$"]),
        ]
    }

    static let streamQuery: RouteQuery = [
        from, filter, RouteParameter("overflow", "What slow readers lose.", JSONSchema.overflow),
        RouteParameter("max_rate", "Events a second.", JSONSchema.positive),
        RouteParameter("credit", "Events that may come.", JSONSchema.count), view,
    ]

    static let topicsQuery = RouteQuery(
        [
            RouteParameter(
                "topic", "Names and patterns, each a member of its own.",
                JSONSchema.array(JSONSchema.text), isRequired: true),
            RouteParameter(
                "cursor", "'<topic>:<cursor>' of topics that the client knows, each a member.",
                JSONSchema.array(JSONSchema.text)),
        ] + streamQuery.members)

    static let topicsStream = RouteResult(
        text: "A stream without end.",
        content: [
            .init(.ndjson, ["description": "Lines: the messages of the single-topic stream."]),
            .init(.eventStream, JSONSchema.text),
        ], headers: ["Sluice-Resume-From"])

    static let sessionQuery: RouteQuery = [
        RouteParameter("batch", "1: a text may be an array of messages.", ["const": "1"])
    ]

    static let page = RouteResult(
        text: "A page; with 'follow' or server-sent events a stream without end.",
        content: [
            .init(
                .json,
                [
                    "anyOf": [
                        DocumentSchemas.reference("EventPage"),
                        ["type": "array", "description": "With view=data."],
                    ]
                ],
                example: #"{"events":[],"gaps":[],"reset":null,"cursor":"k3f9-142","#
                    + #""earliest":3,"latest":142,"caught_up":true}"#),
            .init(.ndjson, ["description": "Lines: reset, gap and event, or bare data."]),
            .init(.cloudEventBatch, JSONSchema.array(["type": "object"])),
            .init(.eventStream, JSONSchema.text),
        ],
        headers: [
            "Link", "Sluice-Cursor", "Sluice-Caught-Up", "Sluice-Earliest", "Sluice-Latest",
        ])

    static let pageErrors: [ErrorCode] = [
        .topicNotFound, .invalidStart, .invalidFilter, .ephemeralTopic, .offsetExpired,
    ]

    static let event = [
        RouteResult(
            text: "The event.",
            content: [
                .init(.json, DocumentSchemas.reference("Event")),
                .init(.cloudEvent, ["type": "object"]),
            ], headers: ["ETag"]),
        EntityTag.known,
    ]
}
