/// Schemas of values that many documents and messages have (JSON Schema 2020-12, doc:CommonRules).
package enum JSONSchema {
    package static let topic: JSONTree = [
        "type": "string", "minLength": 1, "maxLength": 200,
        "pattern": #"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$"#,
    ]
    package static let pattern: JSONTree = [
        "type": "string", "minLength": 1, "maxLength": 200,
        "pattern": #"^([A-Za-z0-9_-]+|\*)(\.([A-Za-z0-9_-]+|\*))*(\.>)?$|^>$"#,
    ]
    package static let cursor: JSONTree = [
        "type": "string", "pattern": "^[0-9a-z]{1,16}-(0|[1-9][0-9]{0,15})$",
        "description": "Opaque to clients.",
    ]
    package static let time: JSONTree = ["type": "string", "format": "date-time"]
    /// A number of events, of bytes or of milliseconds, or an offset.
    package static let count: JSONTree = [
        "type": "integer", "minimum": 0, "maximum": 9_007_199_254_740_991,
    ]
    package static let positive: JSONTree = [
        "type": "integer", "minimum": 1, "maximum": 9_007_199_254_740_991,
    ]
    /// Names a request.
    package static let id: JSONTree = [
        "type": "integer", "minimum": -9_007_199_254_740_991, "maximum": 9_007_199_254_740_991,
    ]
    package static let text: JSONTree = ["type": "string"]
    package static let boolean: JSONTree = ["type": "boolean"]
    /// Any JSON value.
    package static let any: JSONTree = [:]
    /// `key`, `event_id` and `Idempotency-Key`; the limit is one of bytes.
    package static let label: JSONTree = ["type": "string", "minLength": 1, "maxLength": 500]
    package static let start: JSONTree = [
        "type": "string",
        "anyOf": [
            ["enum": ["latest", "earliest"]],
            ["pattern": "^last:[1-9][0-9]{0,15}$"], ["pattern": "^offset:[1-9][0-9]{0,15}$"],
            ["pattern": "^after:[0-9a-z]{1,16}-(0|[1-9][0-9]{0,15})$"],
            ["pattern": "^time:[0-9]{4}-"], ["pattern": "^ago:[0-9]+(ms|s|m|h|d)$"],
            ["pattern": "^mark:"],
        ],
    ]
    package static let overflow: JSONTree = [
        "type": "string", "enum": .strings(OverflowPolicy.allCases.map(\.rawValue)),
    ]
    /// The topics' cursors.
    package static let cursors: JSONTree = ["type": "object", "additionalProperties": cursor]
    /// Texts by name, which CloudEvents and traces use.
    package static let attributes: JSONTree = [
        "type": "object", "additionalProperties": true, "maxProperties": 16,
    ]
    /// Where in an input something is wrong.
    package static let place: JSONTree = [
        "type": "object",
        "properties": ["line": positive, "byte": count, "field": text],
        "additionalProperties": false,
    ]

    package static func orNull(_ schema: JSONTree) -> JSONTree {
        ["anyOf": [schema, ["type": "null"]]]
    }

    package static func oneOf(_ texts: some Sequence<String>) -> JSONTree {
        ["type": "string", "enum": .strings(texts)]
    }

    package static func array(_ elements: JSONTree) -> JSONTree {
        ["type": "array", "items": elements]
    }
}

/// An object on the wire: its members, as its encoder writes them or its decoder knows them.
package struct ObjectSchema: Sendable {
    package struct Member: Sendable {
        package let name: String
        package let schema: JSONTree
        package let isRequired: Bool
        package let text: String?

        package static func required(
            _ name: String, _ schema: JSONTree, _ text: String? = nil
        ) -> Member { Member(name: name, schema: schema, isRequired: true, text: text) }

        package static func optional(
            _ name: String, _ schema: JSONTree, _ text: String? = nil
        ) -> Member { Member(name: name, schema: schema, isRequired: false, text: text) }
    }

    package let members: [Member]
    package let names: [String]
    /// Who reads it refuses other members: the broker does, and clients ignore them.
    package let isClosed: Bool

    package init(_ members: [Member], isClosed: Bool = false) {
        self.members = members
        self.isClosed = isClosed
        names = members.map(\.name)
    }

    package var tree: JSONTree {
        .members([
            ("type", "object"),
            (
                "properties",
                .object(
                    members.map { member in
                        (
                            member.name,
                            member.schema.with("description", member.text.map { .string($0) })
                        )
                    })
            ),
            ("required", .strings(members.filter(\.isRequired).map(\.name))),
            ("additionalProperties", isClosed ? .boolean(false) : nil),
        ])
    }
}
