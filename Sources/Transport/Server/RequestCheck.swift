internal import NIOHTTP1

/// What RFC 9112 demands of a request's head beyond what the parser checks.
struct RequestCheck {
    /// The head with its target in origin form.
    private(set) var head: HTTPRequestHead
    private(set) var request = AnswerQueue.Request()
    /// The Content-Length; nil without one.
    private(set) var length: Int?
    private(set) var isChunked = false
    /// Whether the client waits for a 100 before it sends its body (RFC 9110 10.1.1).
    private(set) var expectsContinue = false
    /// Whether the client asks for another protocol in a way that RFC 9110 7.8 allows.
    private(set) var asksForUpgrade = false
    /// Whether what follows cannot be told from this request's end, so that none can follow.
    private(set) var isLast = false

    var hasBody: Bool { isChunked || (length ?? 0) > 0 }

    init(_ head: HTTPRequestHead, uriBytesMax: Int) throws(HTTPFaultError) {
        self.head = head
        request.isHead = head.method == .HEAD
        request.isVersion10 = head.version.minor == 0
        request.keepsAlive = head.isKeepAlive
        guard head.uri.utf8.count <= uriBytesMax else { throw HTTPFaultError(fault: .uriTooLong) }
        var hosts = 0
        var hasUpgrade = head.method == .CONNECT
        for (name, value) in head.headers {
            // Most names are none of these, so the length decides first.
            switch (name.utf8.count, value) {
            case (4, _) where name.lowercased() == "host": hosts += 1
            case (6, let value) where name.lowercased() == "expect": try expect(value)
            case (7, _) where name.lowercased() == "upgrade": hasUpgrade = true
            case (14, let value) where name.lowercased() == "content-length":
                try measure(value)
            case (17, let value) where name.lowercased() == "transfer-encoding":
                try unchunk(value)
            default: break
            }
        }
        // RFC 9112 6.3: both lengths together are how requests are smuggled.
        guard !(isChunked && length != nil) else {
            throw bad("Content-Length beside Transfer-Encoding")
        }
        // RFC 9112 3.2.
        guard hosts == 1 || (hosts == 0 && request.isVersion10) else {
            throw bad(
                hosts == 0 ? "the Host header is missing" : "there is more than one Host header")
        }
        if hasUpgrade {
            let mark = UpgradeMark(head)
            asksForUpgrade = mark == .upgrade && !request.isVersion10
            isLast = mark == .unclear
            if isLast { request.keepsAlive = false }
        }
        try normaliseTarget()
    }

    private mutating func expect(_ value: String) throws(HTTPFaultError) {
        guard value.lowercased() == "100-continue" else {
            throw HTTPFaultError(fault: .expectationFailed)
        }
        expectsContinue = !request.isVersion10
    }

    private mutating func measure(_ value: String) throws(HTTPFaultError) {
        let isNumber = !value.isEmpty && value.utf8.allSatisfy { $0 >= 48 && $0 <= 57 }
        guard length == nil, isNumber, let length = Int(value) else {
            throw bad("Content-Length is not one number")
        }
        self.length = length
    }

    private mutating func unchunk(_ value: String) throws(HTTPFaultError) {
        guard !isChunked, !request.isVersion10, value.lowercased() == "chunked" else {
            throw bad("the only Transfer-Encoding understood is chunked")
        }
        isChunked = true
    }

    /// RFC 9112 3.2: origin form, absolute form (whose authority replaces Host), or `*`.
    private mutating func normaliseTarget() throws(HTTPFaultError) {
        let uri = head.uri
        if uri.utf8.first == UInt8(ascii: "/") || (uri == "*" && head.method == .OPTIONS) { return }
        if head.method == .CONNECT { return }
        let lowered = uri.prefix(8).lowercased()
        let schemeLength = lowered == "https://" ? 8 : lowered.hasPrefix("http://") ? 7 : 0
        guard schemeLength > 0 else {
            throw bad("the request target is neither a path nor an http address")
        }
        let rest = uri.dropFirst(schemeLength)
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        guard end > rest.startIndex else { throw bad("the request target lacks its host") }
        let path = rest[end...]
        head.uri = path.hasPrefix("/") ? String(path) : "/\(path)"
        head.headers.replaceOrAdd(name: "Host", value: String(rest[..<end]))
    }

    private func bad(_ what: String) -> HTTPFaultError { HTTPFaultError(fault: .badRequest(what)) }
}

/// A fault as an error, to be thrown while a request is checked.
struct HTTPFaultError: Error, Equatable {
    let fault: HTTPFault
}

extension HTTPFault {
    /// What the parser found wrong.
    init(parsing error: any Error) {
        switch error as? HTTPParserError {
        case .headerOverflow: self = .headersTooLarge
        case .invalidVersion: self = .versionNotSupported
        case .invalidMethod: self = .badRequest("the method is unknown")
        case .invalidURL: self = .badRequest("the request target is malformed")
        case .invalidHeaderToken: self = .badRequest("a header field is malformed")
        case .invalidContentLength, .unexpectedContentLength:
            self = .badRequest("the Content-Length is malformed or contradicted")
        case .invalidChunkSize: self = .badRequest("a chunk's size is malformed")
        default: self = .badRequest("it cannot be parsed")
        }
    }
}
