internal import EventModel
internal import NIOHTTP1

/// What a request expects of the topic that it is about to change (RFC 9110 13.1).
struct TopicCondition {
    /// `If-None-Match: *`.
    private(set) var mustBeNew = false
    /// `If-Match`.
    private(set) var mustExist = false
    /// `If-Match: "<revision>"`; `nil` without it, or for `*`.
    private(set) var revision: Int?

    /// - Throws: `invalid_request` for conditions that are not of doc:HTTP.
    init(_ headers: HTTPHeaders) throws(BrokerError) {
        let (match, noneMatch) = (headers["if-match"], headers["if-none-match"])
        guard match.isEmpty || noneMatch.isEmpty else {
            throw BrokerError(
                .invalidRequest, "If-Match and If-None-Match come together.",
                remedy: "Send one of them.")
        }
        if !noneMatch.isEmpty {
            guard noneMatch == ["*"] else {
                throw BrokerError(
                    .invalidRequest, "If-None-Match is not '*'.",
                    at: InputPlace(field: "If-None-Match"))
            }
            mustBeNew = true
        } else if !match.isEmpty {
            mustExist = true
            guard match != ["*"] else { return }
            revision = try Self.revision(match)
        }
    }

    /// The revision that a request expects of a topic that has to exist anyway.
    ///
    /// - Throws: Also for `If-None-Match`.
    static func revision(_ headers: HTTPHeaders) throws(BrokerError) -> Int? {
        let condition = try TopicCondition(headers)
        guard !condition.mustBeNew else {
            throw BrokerError(
                .invalidRequest, "If-None-Match does not fit: the topic has to exist.",
                remedy: "Send If-Match: \"REVISION\", or no condition.",
                at: InputPlace(field: "If-None-Match"))
        }
        return condition.revision
    }

    private static func revision(_ match: [String]) throws(BrokerError) -> Int {
        guard match.count == 1, let text = match.first, text.utf8.count > 2,
            text.hasPrefix("\""), text.hasSuffix("\""),
            let revision = Cursor.offset(String(text.dropFirst().dropLast()))
        else {
            throw BrokerError(
                .invalidRequest, "If-Match is not one revision in quotes.",
                remedy: "Send If-Match: \"REVISION\", as the ETag of the topic says it.",
                at: InputPlace(field: "If-Match"))
        }
        return Int(revision)
    }
}
