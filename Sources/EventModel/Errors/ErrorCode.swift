/// The catalogue of errors: stable codes of doc:HTTP, each with its HTTP status and remedy.
///
/// Codes are added, never renamed.
package enum ErrorCode: String, CaseIterable, Sendable {
    case invalidJSON = "invalid_json"
    case invalidUTF8 = "invalid_utf8"
    case invalidTopic = "invalid_topic"
    case invalidPattern = "invalid_pattern"
    case invalidStart = "invalid_start"
    case invalidFilter = "invalid_filter"
    case invalidRequest = "invalid_request"
    case unknownField = "unknown_field"
    case unauthorized
    case forbidden
    case originRefused = "origin_refused"
    case notFound = "not_found"
    case topicNotFound = "topic_not_found"
    case methodNotAllowed = "method_not_allowed"
    case notAcceptable = "not_acceptable"
    case requestTimeout = "request_timeout"
    case topicExists = "topic_exists"
    case overlap
    case offsetExpired = "offset_expired"
    case headMoved = "head_moved"
    case revisionMoved = "revision_moved"
    case eventTooLarge = "event_too_large"
    case bodyTooLarge = "body_too_large"
    case unsupportedMediaType = "unsupported_media_type"
    case idempotencyConflict = "idempotency_conflict"
    case upgradeRequired = "upgrade_required"
    case rateLimited = "rate_limited"
    case publisherOverloaded = "publisher_overloaded"
    case headersTooLarge = "headers_too_large"
    case `internal`
    case databaseUnavailable = "database_unavailable"
    case outcomeUnknown = "outcome_unknown"
    case draining
    case brokerFull = "broker_full"
    case grantRevoked = "grant_revoked"
    case subscriptionLimit = "subscription_limit"
    case messageTooLarge = "message_too_large"
    case ephemeralTopic = "ephemeral_topic"

    /// The HTTP status of an answer with this code; codes that only sessions use have the nearest
    /// one.
    package var httpStatus: Int {
        switch self {
        case .invalidJSON, .invalidUTF8, .invalidTopic, .invalidPattern, .invalidStart,
            .invalidFilter, .invalidRequest, .unknownField, .ephemeralTopic:
            400
        case .unauthorized: 401
        case .forbidden, .originRefused, .grantRevoked, .subscriptionLimit: 403
        case .notFound, .topicNotFound: 404
        case .methodNotAllowed: 405
        case .notAcceptable: 406
        case .requestTimeout: 408
        case .topicExists, .overlap: 409
        case .offsetExpired: 410
        case .headMoved, .revisionMoved: 412
        case .eventTooLarge, .bodyTooLarge, .messageTooLarge: 413
        case .unsupportedMediaType: 415
        case .idempotencyConflict: 422
        case .upgradeRequired: 426
        case .rateLimited, .publisherOverloaded: 429
        case .headersTooLarge: 431
        case .internal: 500
        case .databaseUnavailable, .outcomeUnknown, .draining, .brokerFull: 503
        }
    }

    /// What the code means, in a few words: the `title` of a problem document.
    package var title: String {
        switch self {
        case .invalidJSON: "The JSON text is not valid"
        case .invalidUTF8: "The text is not UTF-8"
        case .invalidTopic: "The topic name is not valid"
        case .invalidPattern: "The topic pattern is not valid"
        case .invalidStart: "The start position is not valid"
        case .invalidFilter: "The filter is not valid"
        case .invalidRequest: "The request is not valid"
        case .unknownField: "A field is not known"
        case .unauthorized: "Credentials are missing or not valid"
        case .forbidden: "The token does not allow this"
        case .originRefused: "The page's origin is not allowed"
        case .notFound: "There is nothing at this path"
        case .topicNotFound: "The topic does not exist"
        case .methodNotAllowed: "The method does not fit this path"
        case .notAcceptable: "No representation fits the Accept header"
        case .requestTimeout: "The request took too long to arrive"
        case .topicExists: "The topic exists already"
        case .overlap: "Another subscription of the session covers the topic"
        case .offsetExpired: "The event is not kept any more"
        case .headMoved: "The topic's head is not where the condition expects it"
        case .revisionMoved: "Somebody changed the topic's settings meanwhile"
        case .eventTooLarge: "The event is too large"
        case .bodyTooLarge: "The request body is too large"
        case .unsupportedMediaType: "The media type is not supported"
        case .idempotencyConflict: "The idempotency key was used with another body"
        case .upgradeRequired: "This path is a WebSocket"
        case .rateLimited: "Too many requests"
        case .publisherOverloaded: "The log is slower than its publishers"
        case .headersTooLarge: "The request headers are too large"
        case .internal: "The broker failed"
        case .databaseUnavailable: "The database is not reachable"
        case .outcomeUnknown: "It is not known whether the request took effect"
        case .draining: "The broker is shutting down"
        case .brokerFull: "The broker has no room for another connection"
        case .grantRevoked: "The right to this subscription was revoked"
        case .subscriptionLimit: "The session has too many subscriptions"
        case .messageTooLarge: "The message is too large"
        case .ephemeralTopic: "An ephemeral topic has no log"
        }
    }

    /// What to do, where the place that throws does not know better.
    package var remedy: String {
        switch self {
        case .invalidJSON: "Send one JSON text (RFC 8259), at most 512 levels deep."
        case .invalidUTF8: "Encode the text as UTF-8."
        case .invalidTopic: "Use 1 to 200 bytes: segments of A-Z a-z 0-9 _ - joined by dots."
        case .invalidPattern:
            "Use a topic name in which '*' stands for one segment and a final '>' for the rest."
        case .invalidStart:
            "Use latest, earliest, last:10, offset:17, after:CURSOR, time:2026-01-01T00:00:00Z or ago:15m."
        case .invalidFilter: "Correct the filter."
        case .invalidRequest: "Correct the request as the message says."
        case .unknownField: "Remove the field or correct its name."
        case .unauthorized:
            "Send 'Authorization: Bearer TOKEN'; 'sluice token create' makes a token."
        case .forbidden: "Use a token that allows it."
        case .originRefused: "List the origin in the broker's configuration."
        case .notFound: "Check the path; GET /v1/errors lists the codes, the README the routes."
        case .topicNotFound: "Create it with 'sluice topic create NAME', or publish to it."
        case .methodNotAllowed: "Use a method of the Allow header."
        case .notAcceptable: "Accept application/json."
        case .requestTimeout: "Send the whole request without pauses."
        case .topicExists: "Use the topic as it is, or choose another name."
        case .overlap: "Unsubscribe the other one first, or open a second session."
        case .offsetExpired: "Read from 'earliest'."
        case .headMoved: "Read the topic up to its head, then decide again."
        case .revisionMoved: "Read the topic's settings, then decide again."
        case .eventTooLarge: "Send less, or raise the limit in the broker's configuration."
        case .bodyTooLarge: "Split the request, or raise the limit in the broker's configuration."
        case .unsupportedMediaType:
            "Send application/json (one event) or application/x-ndjson (one per line)."
        case .idempotencyConflict: "Use a new key for a new body."
        case .upgradeRequired: "Connect with a WebSocket client (wss)."
        case .rateLimited, .publisherOverloaded:
            "Wait as Retry-After says, then send the same request again."
        case .headersTooLarge: "Send fewer or shorter headers."
        case .internal: "Try again; if it stays, report the request_id and the broker's log."
        case .databaseUnavailable: "Wait as Retry-After says, then send the same request again."
        case .outcomeUnknown:
            "Send the same request with the same Idempotency-Key again, or read the topic."
        case .draining, .brokerFull: "Connect again, to another node if there is one."
        case .grantRevoked: "Ask for a token that allows it."
        case .subscriptionLimit:
            "Use patterns, unsubscribe what is not needed, or open a second session."
        case .messageTooLarge: "Send smaller messages."
        case .ephemeralTopic: "Start at 'latest'."
        }
    }

    /// Whether the same request may succeed later, without a change.
    package var isRetryable: Bool {
        switch self {
        case .rateLimited, .publisherOverloaded, .databaseUnavailable, .outcomeUnknown, .draining,
            .brokerFull, .requestTimeout, .internal:
            true
        default: false
        }
    }
}
