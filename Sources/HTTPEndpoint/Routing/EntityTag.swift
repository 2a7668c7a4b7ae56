internal import EventModel
internal import NIOHTTP1
internal import Transport

/// What the ETag of an answer to GET is, and what becomes of a request that has it already
/// (RFC 9110 8.8.3 and 13.1.2).
struct EntityTag {
    /// Without the quotes.
    let text: String
    let cacheControl: String

    init(_ text: String, cacheControl: String) {
        self.text = text
        self.cacheControl = cacheControl
    }

    /// What a description says of a request that has it.
    static let known = RouteResult(status: 304, text: "It is the one of the ETag.")

    /// 304 without a body if `If-None-Match` names the tag, else `answer` with it.
    func answer(to request: RouteRequest, _ answer: () -> HTTPAnswer) -> HTTPAnswer {
        var answer = answer()
        if isKnown(request.headers) {
            answer.status = .notModified
            answer.body = nil
            for name in ["content-type", "content-encoding"] { answer.headers.remove(name: name) }
        }
        answer.headers.add(name: "etag", value: "\"\(text)\"")
        answer.headers.add(name: "cache-control", value: cacheControl)
        return answer
    }

    /// Weak comparison; no tag of the broker has a comma.
    private func isKnown(_ headers: HTTPHeaders) -> Bool {
        headers[canonicalForm: "if-none-match"].contains { tag in
            tag == "*" || (tag.hasPrefix("W/") ? tag.dropFirst(2) : tag) == "\"\(text)\""
        }
    }
}
