internal import FoundationEssentials

/// How values become JSON and back where nobody says otherwise: dates are ISO 8601 texts, and
/// slashes stand as they are.
enum JSONCoding {
    static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        encoder.outputFormatting = [.withoutEscapingSlashes]
        return Array(try encoder.encode(value))
    }

    /// A decoder is made once for a subscription: it costs more than a short event.
    static func decoder<Value: Decodable & Sendable>(
        of type: Value.Type
    ) -> @Sendable ([UInt8]) throws -> Value {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        return { try decoder.decode(type, from: Data($0)) }
    }
}
