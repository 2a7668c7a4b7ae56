package import EventModel

/// The members of a JSON object as a client reads the broker's answers.
///
/// Unknown members are ignored (doc:CommonRules), and one of an unexpected form counts as absent.
package struct JSONFields {
    private let members: ObjectReader

    /// Finds the members.
    ///
    /// - Throws: `invalid_json` or `invalid_utf8` if there is something else than an object, or
    ///   `unknown_field` for a member that is there twice.
    package init(_ bytes: [UInt8]) throws(BrokerError) {
        var members = ObjectReader(bytes)
        try members.read(membersMax: 1000)
        self.members = members
    }

    private init(_ members: ObjectReader) { self.members = members }

    /// The member's exact text.
    package func raw(_ name: String) -> [UInt8]? { members.text(name) }

    /// A string member; `nil` for null and other forms.
    package func text(_ name: String) -> String? { (try? members.string(name)) ?? nil }

    /// An integer member.
    package func integer(_ name: String) -> Int64? {
        (try? members.integer(name, in: .min ... .max)) ?? nil
    }

    /// A true or false member.
    package func flag(_ name: String) -> Bool? { (try? members.boolean(name)) ?? nil }

    /// A string, or a number as it is written; `nil` for null.
    package func textOrNumber(_ name: String) -> String? {
        if let text = text(name) { return text }
        guard let raw = raw(name), let first = raw.first else { return nil }
        let isNumber = first == UInt8(ascii: "-") || (0x30...0x39).contains(first)
        return isNumber ? String(decoding: raw, as: UTF8.self) : nil
    }

    /// An object member.
    package func object(_ name: String) -> JSONFields? {
        ((try? members.object(name)) ?? nil).map(JSONFields.init)
    }

    /// The objects of an array member, in order.
    package func objects(_ name: String) -> [JSONFields] {
        elements(name).compactMap { range in
            (try? members.object(at: range, field: name)).map(JSONFields.init)
        }
    }

    /// The exact texts of an array member's elements.
    package func rawElements(_ name: String) -> [[UInt8]] {
        elements(name).map { Array(members.bytes[$0]) }
    }

    private func elements(_ name: String) -> [Range<Int>] {
        ((try? members.elements(name)) ?? nil) ?? []
    }
}
