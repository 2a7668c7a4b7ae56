internal import EventModel

extension ClientMessage {
    /// The types of messages that a client says.
    package enum Kind: String, CaseIterable, Sendable {
        case auth, subscribe, cursors, unsubscribe, credit, update, publish, ping

        /// What it is; its members are the fields that the decoder knows, in the encoder's order.
        package var description: MessageDescription {
            switch self {
            case .auth: Self.authDescription
            case .subscribe: Self.subscribeDescription
            case .cursors: Self.cursorsDescription
            case .unsubscribe: Self.unsubscribeDescription
            case .credit: Self.creditDescription
            case .update: Self.updateDescription
            case .publish: Self.publishDescription
            case .ping: Self.pingDescription
            }
        }

        private static let id = ObjectSchema.Member.required(
            "id", JSONSchema.id, "Names the request; its answer names it, too.")

        private static let authDescription = MessageDescription(
            "auth", "Says who the client is; first, or to go on with another token.",
            [
                .optional("id", JSONSchema.id), .required("token", JSONSchema.text),
            ], isClosed: true,
            examples: [
                ("", #"{"type":"auth","token":"slc_k3f9_secret"}"#),
                ("with_id", #"{"type":"auth","id":4,"token":"slc_k3f9_secret"}"#),
            ])

        private static let subscribeDescription = MessageDescription(
            "subscribe", "Follows topics, from a start position on.",
            [
                id,
                .optional("topic", JSONSchema.pattern, "A name or pattern; or 'topics'."),
                .optional("topics", JSONSchema.array(JSONSchema.pattern), "Names and patterns."),
                .optional("from", JSONSchema.start, "Where it begins; 'latest' without it."),
                .optional(
                    "cursors", JSONSchema.cursors, "These win over 'from', each in its topic."),
                .optional("overflow", JSONSchema.overflow),
                .optional("credit", JSONSchema.count, "Events that may come; all without it."),
                .optional("filter", JSONSchema.text, "A condition on events."),
                .optional("max_rate", JSONSchema.positive, "Events a second of each topic."),
            ], isClosed: true,
            examples: [
                ("", #"{"type":"subscribe","id":1,"topic":"orders.>","from":"latest"}"#),
                (
                    "full",
                    #"{"type":"subscribe","id":1,"topics":["orders.eu","trades.*"],"#
                        + #""from":"last:10","cursors":{"orders.eu":"k3f9-17"},"#
                        + #""overflow":"conflate","credit":100,"filter":"$.price > 100","#
                        + #""max_rate":20}"#
                ),
            ])

        private static let cursorsDescription = MessageDescription(
            "cursors", "Cursors for the subscribe with this id, which one message does not hold.",
            [id, .required("cursors", JSONSchema.cursors)], isClosed: true,
            examples: [
                ("", #"{"type":"cursors","id":1,"cursors":{"a":"k3f9-3","orders.eu":"k3f9-17"}}"#)
            ])

        private static let unsubscribeDescription = MessageDescription(
            "unsubscribe", "Ends a subscription.", [id], isClosed: true,
            examples: [("", #"{"type":"unsubscribe","id":1}"#)])

        private static let creditDescription = MessageDescription(
            "credit", "Lets more events of a subscription come.", isOfStream: true,
            [id, .required("events", JSONSchema.positive)], isClosed: true,
            examples: [("", #"{"type":"credit","id":1,"events":100}"#)])

        private static let updateDescription = MessageDescription(
            "update", "Changes what it names of a subscription, which keeps its position.",
            [
                id, .optional("max_rate", JSONSchema.orNull(JSONSchema.positive)),
                .optional("filter", JSONSchema.orNull(JSONSchema.text)),
            ], isClosed: true,
            examples: [
                ("", #"{"type":"update","id":1,"max_rate":20,"filter":null}"#),
                ("filter", #"{"type":"update","id":1,"max_rate":null,"filter":"$.n > 1"}"#),
            ])

        private static let publishDescription = MessageDescription(
            "publish", "Appends an event to a topic.",
            [
                id, .required("topic", JSONSchema.topic), .optional("key", JSONSchema.label),
                .optional("event_id", JSONSchema.label),
                .optional("attributes", JSONSchema.attributes),
                .optional("if_head", JSONSchema.cursor, "Appends only if the head is there."),
                .required("data", JSONSchema.any, "Kept byte for byte."),
            ], isClosed: true,
            examples: [
                ("", #"{"type":"publish","id":2,"topic":"orders.eu","data":{"price":1.10}}"#),
                (
                    "full",
                    #"{"type":"publish","id":2,"topic":"orders.eu","key":"42","event_id":"a1","#
                        + #""attributes":{"x":"y"},"if_head":"k3f9-41","data":null}"#
                ),
            ])

        private static let pingDescription = MessageDescription(
            "ping", "Asks whether the broker is there.", isOfStream: true, [id], isClosed: true,
            examples: [("", #"{"type":"ping","id":3}"#)])
    }

    package var kind: Kind {
        switch self {
        case .auth: .auth
        case .subscribe: .subscribe
        case .cursors: .cursors
        case .unsubscribe: .unsubscribe
        case .credit: .credit
        case .update: .update
        case .publish: .publish
        case .ping: .ping
        }
    }
}
