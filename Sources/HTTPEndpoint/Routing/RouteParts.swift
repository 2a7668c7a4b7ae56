internal import EventModel

/// A parameter of a request: a member of its query, a header field or a segment of its path.
struct RouteParameter: Sendable, ExpressibleByStringLiteral {
    let name: String
    var text = ""
    var schema = JSONSchema.text
    var isRequired = false

    init(_ name: String, _ text: String, _ schema: JSONTree, isRequired: Bool = false) {
        self.name = name
        self.text = text
        self.schema = schema
        self.isRequired = isRequired
    }

    init(stringLiteral name: String) { self.name = name }
}

/// The members of a route's query; what is not among them is refused.
struct RouteQuery: Sendable, ExpressibleByArrayLiteral {
    let members: [RouteParameter]
    let names: Set<String>

    init(_ members: [RouteParameter]) {
        self.members = members
        names = Set(members.map(\.name))
    }

    init(arrayLiteral members: RouteParameter...) { self.init(members) }
}

/// What a route is answered with when it did what it is for.
struct RouteResult: Sendable {
    var status = 200
    var text = "It is done."
    /// What the body is in each of its media types; empty: there is none.
    var content: [Content] = []
    /// Header fields that have a meaning here, beside those of every answer.
    var headers: [String] = []

    struct Content: Sendable {
        let type: MediaType
        let schema: JSONTree
        var example: String?

        init(_ type: MediaType, _ schema: JSONTree, example: String? = nil) {
            self.type = type
            self.schema = schema
            self.example = example
        }
    }

    /// A JSON document.
    static func json(
        _ text: String, _ schema: String, status: Int = 200, headers: [String] = [],
        example: String? = nil
    ) -> RouteResult {
        RouteResult(
            status: status, text: text,
            content: [Content(.json, DocumentSchemas.reference(schema), example: example)],
            headers: headers)
    }
}
