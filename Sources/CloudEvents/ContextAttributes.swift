internal import EventModel

/// The context attributes of one CloudEvent, each checked as it is added.
struct ContextAttributes {
    /// A value in its canonical string encoding ("Type System").
    struct Value: Hashable {
        var text: String
        var type = AttributeType.string
    }

    /// What JSON tells apart.
    enum AttributeType: String {
        case string, integer, boolean
    }

    private var values: [String: Value] = [:]

    static let required = ["specversion", "id", "source", "type"]
    /// The event's own fields, and so none of its attributes.
    private static let fields: Set<String> = ["id", "partitionkey"]

    subscript(name: String) -> String? { values[name]?.text }

    /// Adds an attribute, which an error calls `field`.
    ///
    /// `sluicecursor` is left out: it says where the event was in another topic.
    ///
    /// - Throws: `invalid_request` for what is not as the specification says; `unknown_field` for a
    ///   second one.
    mutating func add(_ name: String, _ value: Value, field: String) throws(BrokerError) {
        guard Self.isName(name) else {
            throw BrokerError(
                .invalidRequest,
                "\(quoted(field)) is no name of an attribute of a CloudEvent.",
                remedy: "Use lower-case letters and digits.", at: InputPlace(field: field))
        }
        guard name != "sluicecursor" else { return }
        try AttributeRules.check(name, value, field: field)
        guard values.updateValue(value, forKey: name) == nil else {
            throw BrokerError(
                .unknownField, "\(quoted(field)) is there twice.", remedy: "Send each field once.",
                at: InputPlace(field: field))
        }
    }

    /// "Naming Conventions"; `data` is not one.
    static func isName(_ name: String) -> Bool {
        !name.isEmpty && name != "data"
            && name.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            }
    }

    /// Checks that nothing is missing; errors write `prefix` before a name.
    func checkRequired(prefix: String = "") throws(BrokerError) {
        for name in Self.required where values[name] == nil {
            throw BrokerError(
                .invalidRequest, "\(quoted(prefix + name)) is missing.",
                remedy: "A CloudEvent has specversion, id, source and type.",
                at: InputPlace(field: prefix + name))
        }
    }

    /// The event with these attributes and its data.
    ///
    /// - Throws: `invalid_request` if something is missing, or over the limits of attributes;
    ///   `event_too_large`.
    func event(
        data: [UInt8], _ form: DataForm, prefix: String = "", limits: Limits
    ) throws(BrokerError) -> CloudEvent {
        try checkRequired(prefix: prefix)
        let attributes = kept(form)
        try EventValidation.attributes(attributes, limits: limits)
        let event = NewEvent(
            data: data, key: self["partitionkey"], eventID: self["id"], attributes: attributes)
        try EventValidation.checkSize(event, limits: limits)
        return CloudEvent(event: event, source: self["source"] ?? "")
    }

    /// The attributes as the log keeps them: texts, whose types are told beside them.
    private func kept(_ form: DataForm) -> [UInt8] {
        var texts = names.filter { !Self.fields.contains($0) }.map { ($0, values[$0]?.text ?? "") }
        if form != .value { texts.append((EventValidation.dataMark, form.rawValue)) }
        let types = names.compactMap { name in
            values[name].flatMap { $0.type == .string ? nil : "\(name):\($0.type.rawValue)" }
        }
        if !types.isEmpty {
            texts.append((EventValidation.typesMark, types.joined(separator: " ")))
        }
        var json = JSONWriter(capacity: 256)
        json.raw("{")
        for (index, text) in texts.enumerated() {
            if index > 0 { json.raw(",") }
            json.member(text.0, text.1)
        }
        json.raw("}")
        return json.bytes
    }

    /// The required ones first, then by name.
    private var names: [String] {
        Self.required.filter { values[$0] != nil }
            + values.keys.filter { !Self.required.contains($0) }.sorted()
    }

    /// Writes them as members of an object that has begun, the first without a comma.
    func write(to json: inout JSONWriter) {
        for (index, name) in names.enumerated() {
            if index > 0 { json.raw(",") }
            guard let value = values[name] else { continue }
            if value.type == .string {
                json.member(name, value.text)
            } else {
                json.string(name)
                json.raw(":")
                json.raw(Array(value.text.utf8))
            }
        }
    }
}

extension JSONWriter {
    mutating func member(_ name: String, _ text: some StringProtocol) {
        string(name)
        raw(":")
        string(text)
    }
}
