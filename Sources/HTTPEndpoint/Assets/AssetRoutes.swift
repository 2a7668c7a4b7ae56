internal import EventModel
internal import NIOCore
internal import NIOHTTP1
internal import Transport
internal import WebAssets

/// The client for browsers and the example applications, for everybody.
struct AssetRoutes: Sendable {
    var routes: [Route] {
        WebAsset.all.map { asset in
            let answers = AssetAnswers(asset)
            return Route(
                method: .GET, path: asset.path, summary: asset.summary, access: .everybody,
                action: .answer { answers.answer(to: $0.headers) })
        }
    }
}

/// The answers of one asset, made once.
private struct AssetAnswers: Sendable {
    private let plain: HTTPAnswer
    private let gzip: HTTPAnswer

    init(_ asset: WebAsset) {
        plain = Self.answer(asset, asset.content, tag: asset.tag)
        // What differs in its bytes has another strong tag (RFC 9110 8.8.3.3).
        var gzip = Self.answer(asset, asset.gzip, tag: "\(asset.tag)-gzip")
        gzip.headers.add(name: "content-encoding", value: "gzip")
        self.gzip = gzip
    }

    private static func answer(_ asset: WebAsset, _ bytes: [UInt8], tag: String) -> HTTPAnswer {
        var headers: HTTPHeaders = [
            "content-type": asset.mediaType, "etag": "\"\(tag)\"", "vary": "accept-encoding",
            // Asked for again each time, so that a new broker's client is never an old one.
            "cache-control": "no-cache",
            // Pages of any origin may load the client.
            "access-control-allow-origin": "*", "cross-origin-resource-policy": "cross-origin",
            "x-content-type-options": "nosniff",
        ]
        if asset.mediaType == WebAsset.page {
            headers.add(name: "referrer-policy", value: "no-referrer")
            headers.add(name: "content-security-policy", value: pagePolicy)
        }
        return HTTPAnswer(status: .ok, headers: headers, body: ByteBuffer(bytes: bytes))
    }

    /// A page that holds a token runs the broker's files alone, talks to the broker alone, and is
    /// in nobody's frame (CSP 3).
    private static let pagePolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        + "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

    func answer(to headers: HTTPHeaders) -> HTTPAnswer {
        var answer = Self.takesGzip(headers) ? gzip : plain
        guard Self.isKnown(answer.headers.first(name: "etag") ?? "", headers) else { return answer }
        answer.status = .notModified
        answer.body = nil
        for name in ["content-type", "content-encoding"] { answer.headers.remove(name: name) }
        return answer
    }

    /// RFC 9110 12.5.3; without the header or a word about gzip, the content goes as it is.
    private static func takesGzip(_ headers: HTTPHeaders) -> Bool {
        headers[canonicalForm: "accept-encoding"].contains { coding in
            let parts = coding.lowercased().split(separator: ";").map(trimmed)
            guard let name = parts.first, ["gzip", "x-gzip"].contains(name) else { return false }
            let weight = parts.dropFirst().last { $0.hasPrefix("q=") }
            return weight.flatMap { Double($0.dropFirst(2)) } != 0
        }
    }

    /// Compared weakly (RFC 9110 13.1.2).
    private static func isKnown(_ tag: String, _ headers: HTTPHeaders) -> Bool {
        headers[canonicalForm: "if-none-match"].contains { known in
            known == "*" || known == tag || known == "W/\(tag)"
        }
    }
}
