internal import EventModel

/// The media types of bodies, as far as the broker looks at them (RFC 9110 8.3.1).
enum MediaType: String, Sendable {
    case json = "application/json"
    /// One bare JSON value per line.
    case ndjson = "application/x-ndjson"
    /// Server-sent events (WHATWG HTML 9.2); an answer only.
    case eventStream = "text/event-stream"
    /// One CloudEvent, and an array of them (CloudEvents JSON format 3, 4).
    case cloudEvent = "application/cloudevents+json"
    case cloudEventBatch = "application/cloudevents-batch+json"
    /// RFC 7396.
    case mergePatch = "application/merge-patch+json"

    /// - Parameters:
    ///   - text: The Content-Type header.
    ///   - offered: What the route understands.
    /// - Throws: `unsupported_media_type`.
    init(_ text: String?, offered: [MediaType]) throws(BrokerError) {
        guard let text else {
            throw BrokerError(
                .unsupportedMediaType, "The request has no Content-Type.",
                remedy: Self.remedy(offered))
        }
        guard let type = MediaType(rawValue: text) ?? Self.withParameters(text),
            offered.contains(type)
        else {
            throw BrokerError(
                .unsupportedMediaType, "\(quoted(text)) is not supported here.",
                remedy: Self.remedy(offered))
        }
        self = type
    }

    /// Types are matched without case.
    ///
    /// Of the parameters only `charset` means something, and that must be UTF-8.
    private static func withParameters(_ text: String) -> MediaType? {
        let parts = text.lowercased().split(separator: ";", omittingEmptySubsequences: false)
        for parameter in parts.dropFirst() {
            let pair = parameter.split(separator: "=", maxSplits: 1).map(trimmed)
            if pair.first == "charset", pair.count == 2, pair[1] != "utf-8", pair[1] != "\"utf-8\""
            {
                return nil
            }
        }
        return MediaType(rawValue: String(trimmed(parts[0])))
    }

    private static func remedy(_ offered: [MediaType]) -> String {
        let names = offered.map {
            switch $0 {
            case .json: "application/json (one JSON text)"
            case .ndjson: "application/x-ndjson (one JSON text per line)"
            case .eventStream: Self.eventStream.rawValue
            case .cloudEvent: "application/cloudevents+json (one CloudEvent)"
            case .cloudEventBatch: "application/cloudevents-batch+json (an array of them)"
            case .mergePatch: "application/merge-patch+json (what changes; null for the default)"
            }
        }
        return "Send Content-Type: \(names.joined(separator: " or ")), in UTF-8."
    }

    /// The type that the client prefers among those offered; the first of them without Accept.
    ///
    /// The more specific of the header's ranges decides for a type, and of equally preferred types
    /// the one offered first is taken (RFC 9110 12.5.1).
    ///
    /// - Throws: `not_acceptable`.
    static func preferred(
        by accept: [Substring], among offered: [MediaType]
    ) throws(BrokerError) -> MediaType {
        let ranges = accept.compactMap(AcceptRange.init)
        var best: (type: MediaType, weight: Double)?
        for type in offered {
            let range = ranges.filter { $0.specificity(for: type) > 0 }
                .max { $0.specificity(for: type) < $1.specificity(for: type) }
            let weight = accept.isEmpty ? 1 : range?.weight ?? 0
            if weight > best?.weight ?? 0 { best = (type, weight) }
        }
        guard let best else {
            let names = offered.map(\.rawValue).joined(separator: " or ")
            throw BrokerError(
                .notAcceptable,
                "\(quoted(accept.joined(separator: ", "))) is not offered here.",
                remedy: "Accept \(names), or connect with 'Upgrade: websocket'.")
        }
        return best.type
    }
}

/// One media range of Accept with its weight.
private struct AcceptRange {
    let name: Substring
    let weight: Double

    init?(_ text: Substring) {
        let parts = text.split(separator: ";").map(trimmed)
        guard let name = parts.first else { return nil }
        self.name = name
        let weight = parts.dropFirst().last { $0.lowercased().hasPrefix("q=") }
        self.weight = weight.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
    }

    /// 3 for the type itself, 2 for its family, 1 for all types, 0 if the type is not meant.
    func specificity(for type: MediaType) -> Int {
        let name = name.lowercased()
        if name == type.rawValue { return 3 }
        if name == "*/*" { return 1 }
        return name.hasSuffix("/*") && type.rawValue.hasPrefix(name.dropLast()) ? 2 : 0
    }
}
