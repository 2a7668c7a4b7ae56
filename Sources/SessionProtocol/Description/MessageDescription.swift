package import EventModel

/// What a message of the session is (doc:Session): the one place for the schema of its description,
/// the fields that the broker knows, and examples.
package struct MessageDescription: Sendable {
    /// The value of `type`.
    package let type: String
    package let summary: String
    /// Said on the single-topic stream, too, where nothing needs an `id`.
    package let isOfStream: Bool
    package let object: ObjectSchema
    /// Each is what the encoder writes, byte for byte.
    package let examples: [Example]

    package struct Example: Sendable {
        package let name: String
        package let text: String
    }

    /// The examples are named after the type and what is told of each.
    init(
        _ type: String, _ summary: String, isOfStream: Bool = false,
        _ members: [ObjectSchema.Member], isClosed: Bool = false, examples: [(String, String)]
    ) {
        self.type = type
        self.summary = summary
        self.isOfStream = isOfStream
        object = ObjectSchema(
            [.required("type", ["const": .string(type)])] + members, isClosed: isClosed)
        self.examples = examples.map { name, text in
            Example(name: name.isEmpty ? type : "\(type)_\(name)", text: text)
        }
    }

    /// Its JSON Schema; on a stream, nothing needs an `id`.
    package func schema(needsID: Bool) -> JSONTree {
        guard !needsID else { return object.tree }
        let members = object.members.map { member in
            member.name == "id"
                ? ObjectSchema.Member.optional("id", member.schema, member.text) : member
        }
        return ObjectSchema(members, isClosed: object.isClosed).tree
    }
}
