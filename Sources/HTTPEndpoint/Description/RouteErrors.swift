internal import EventModel

extension Route {
    /// The codes with which a request to the route may be refused, in the catalogue's order.
    var errorCodes: [ErrorCode] {
        var codes = Set(errors)
        codes.formUnion([
            .invalidRequest, .unknownField, .notFound, .requestTimeout, .bodyTooLarge,
            .headersTooLarge, .internal, .originRefused,
        ])
        if access != .everybody {
            codes.formUnion([
                .unauthorized, .forbidden, .rateLimited, .databaseUnavailable, .draining,
            ])
        }
        if path.contains("{topic}") { codes.insert(.invalidTopic) }
        if !bodies.isEmpty {
            codes.formUnion([.unsupportedMediaType, .invalidJSON, .invalidUTF8])
        }
        if !answers.isEmpty { codes.insert(.notAcceptable) }
        if webSocket != nil { codes.insert(.upgradeRequired) }
        if isPublish {
            codes.formUnion([
                .invalidTopic, .topicNotFound, .eventTooLarge, .idempotencyConflict,
                .publisherOverloaded, .outcomeUnknown, .headMoved, .ephemeralTopic,
            ])
        }
        return ErrorCode.allCases.filter(codes.contains)
    }
}
