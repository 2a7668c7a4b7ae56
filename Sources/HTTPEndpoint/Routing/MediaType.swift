internal import EventModel

/// The media type of a request's body (RFC 9110 8.3.1), as far as the broker looks at it.
enum MediaType: Equatable {
    case json
    /// One bare JSON value per line.
    case ndjson

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
        guard let type = Self.plain(text) ?? Self.withParameters(text), offered.contains(type)
        else {
            throw BrokerError(
                .unsupportedMediaType, "\(quoted(text)) is not supported here.",
                remedy: Self.remedy(offered))
        }
        self = type
    }

    private static func plain(_ text: some StringProtocol) -> MediaType? {
        switch text {
        case "application/json": .json
        case "application/x-ndjson": .ndjson
        default: nil
        }
    }

    /// Types are matched without case; of the parameters only `charset` means something, and that must be UTF-8.
    private static func withParameters(_ text: String) -> MediaType? {
        let parts = text.lowercased().split(separator: ";", omittingEmptySubsequences: false)
        for parameter in parts.dropFirst() {
            let pair = parameter.split(separator: "=", maxSplits: 1).map(trimmed)
            if pair.first == "charset", pair.count == 2, pair[1] != "utf-8", pair[1] != "\"utf-8\""
            {
                return nil
            }
        }
        return plain(trimmed(parts[0]))
    }

    private static func remedy(_ offered: [MediaType]) -> String {
        let names = offered.map {
            switch $0 {
            case .json: "application/json (one JSON text)"
            case .ndjson: "application/x-ndjson (one JSON text per line)"
            }
        }
        return "Send Content-Type: \(names.joined(separator: " or ")), in UTF-8."
    }
}
