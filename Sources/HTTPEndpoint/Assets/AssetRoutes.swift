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
                results: [RouteResult(text: "The file."), EntityTag.known],
                action: .answer { answers.answer(to: $0) })
        }
    }
}

/// The answers of one asset, made once.
private struct AssetAnswers: Sendable {
    private let tag: String
    private let plain: HTTPAnswer
    private let gzip: HTTPAnswer

    init(_ asset: WebAsset) {
        tag = asset.tag
        plain = Self.answer(asset, asset.content)
        var gzip = Self.answer(asset, asset.gzip)
        gzip.headers.add(name: "content-encoding", value: "gzip")
        self.gzip = gzip
    }

    private static func answer(_ asset: WebAsset, _ bytes: [UInt8]) -> HTTPAnswer {
        var headers: HTTPHeaders = [
            "content-type": asset.mediaType, "vary": "accept-encoding",
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

    func answer(to request: RouteRequest) -> HTTPAnswer {
        let isGzip = Self.takesGzip(request.headers)
        // What differs in its bytes has another strong tag (RFC 9110 8.8.3.3). It is asked for again
        // each time, so that a new broker's client is never an old one.
        let tag = EntityTag(isGzip ? "\(tag)-gzip" : tag, cacheControl: "no-cache")
        return tag.answer(to: request) { isGzip ? gzip : plain }
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
}
