internal import EventModel

/// An event of the log that was a CloudEvent, or is one by its attributes.
struct KeptCloudEvent {
    let attributes: ContextAttributes
    let form: DataForm

    /// `nil` unless its attributes, with its id, are those of a CloudEvent.
    init?(_ event: NewEvent) {
        guard let id = event.eventID, let texts = event.attributeTexts,
            texts.contains(where: { $0.name == "specversion" })
        else { return nil }
        let mark = texts.first { $0.name == EventValidation.dataMark }?.text
        var form = mark.flatMap(DataForm.init) ?? .value
        let isSo =
            switch form {
            case .value: true
            case .base64: event.isBase64
            case .none: event.data == Array("null".utf8)
            }
        if !isSo { form = .value }
        let types = Self.types(texts.first { $0.name == EventValidation.typesMark }?.text ?? "")
        var attributes = ContextAttributes()
        do throws(BrokerError) {
            try attributes.add("id", .init(text: id), field: "id")
            if let key = event.key {
                try attributes.add("partitionkey", .init(text: key), field: "partitionkey")
            }
            for (name, text) in texts
            where name != EventValidation.dataMark && name != EventValidation.typesMark {
                let type = Self.type(types[name], of: text)
                try attributes.add(name, .init(text: text, type: type), field: name)
            }
            try attributes.checkRequired()
        } catch {
            return nil
        }
        self.attributes = attributes
        self.form = form
    }

    /// `name:type name:type …`.
    private static func types(_ text: String) -> [String: String] {
        let pairs = text.split(separator: " ").map { $0.split(separator: ":", maxSplits: 1) }
        return Dictionary(
            pairs.filter { $0.count == 2 }.map { (String($0[0]), String($0[1])) }
        ) { first, _ in first }
    }

    /// What was told of its type, if it is so.
    private static func type(
        _ told: String?, of text: String
    ) -> ContextAttributes.AttributeType {
        switch told.flatMap(ContextAttributes.AttributeType.init) {
        case .integer where Int32(text) != nil && !text.hasPrefix("+"): .integer
        case .boolean where text == "true" || text == "false": .boolean
        case .integer, .boolean, .string, nil: .string
        }
    }
}

extension NewEvent {
    /// Its attributes, unescaped; `nil` if they are not texts.
    var attributeTexts: [(name: String, text: String)]? {
        guard let attributes else { return nil }
        var texts: [(name: String, text: String)] = []
        var scanner = JSONScanner(attributes)
        scanner.skipSpace()
        do throws(BrokerError) {
            try scanner.object { (scanner, key) throws(BrokerError) in
                let name = try scanner.text(of: key, field: "attributes")
                let value = try scanner.value()
                guard attributes[value.lowerBound] == UInt8(ascii: "\"") else {
                    throw scanner.wrong("expected a text")
                }
                texts.append((name, try scanner.text(of: value, field: name)))
            }
        } catch {
            return nil
        }
        return texts
    }

    /// Whether its data is a JSON string of Base64.
    var isBase64: Bool {
        data.count >= 2 && data.first == UInt8(ascii: "\"")
            && Base64.decodedCount(String(decoding: data[1..<data.count - 1], as: UTF8.self)) != nil
    }
}
