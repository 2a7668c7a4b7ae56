internal import ZlibBridge

/// A file that browsers fetch; its bytes are part of the program.
package struct WebAsset: Sendable {
    /// Where it is served, from the root on.
    package let path: String
    /// One sentence for whoever reads a description of the interface.
    package let summary: String
    package let mediaType: String
    package let content: [UInt8]
    /// The content as one member of gzip (RFC 1952).
    package let gzip: [UInt8]
    /// Differs where the content does: its checksum and length, with which gzip ends.
    package let tag: String

    private init(_ path: String, _ summary: String, _ mediaType: String, _ content: [UInt8]) {
        self.path = path
        self.summary = summary
        self.mediaType = mediaType
        self.content = content
        gzip = Gzip.compress(content)
        tag = gzip.suffix(8).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }
            .joined()
    }

    /// Every one; compressed at the first use, which takes some milliseconds.
    package static let all = [
        WebAsset(
            "/sluice.js", "The client for browsers and Node.", javaScript,
            withoutComments(PackageResources.sluice_js)),
        WebAsset(
            "/sluice.d.ts", "Its TypeScript declarations.", "application/typescript",
            PackageResources.sluice_d_ts),
        WebAsset(
            "/examples", "Lists the example applications.", page, PackageResources.examples_html),
        WebAsset(
            "/examples/style.css", "How they look.", "text/css; charset=utf-8",
            PackageResources.style_css),
        WebAsset(
            "/examples/token.js", "Asks for the token and keeps it in the tab.", javaScript,
            PackageResources.token_js),
        WebAsset("/examples/chat", "A chat with history.", page, PackageResources.chat_html),
        WebAsset("/examples/chat.js", "The chat's script.", javaScript, PackageResources.chat_js),
        WebAsset("/examples/ticker", "A ticker.", page, PackageResources.ticker_html),
        WebAsset(
            "/examples/ticker.js", "The ticker's script.", javaScript,
            PackageResources.ticker_js),
        WebAsset(
            "/examples/websocket", "A WebSocket without a library.", page,
            PackageResources.websocket_html),
        WebAsset(
            "/examples/websocket.js", "Its script.", javaScript, PackageResources.websocket_js),
        WebAsset(
            "/examples/eventsource", "EventSource and fetch without a library.", page,
            PackageResources.eventsource_html),
        WebAsset(
            "/examples/eventsource.js", "Its script.", javaScript,
            PackageResources.eventsource_js),
    ]

    /// JavaScript without the lines that are comments and nothing else: a ninth of what is
    /// sent.
    ///
    /// A line of a text that begins so would be taken for one, too; the client has none.
    private static func withoutComments(_ content: [UInt8]) -> [UInt8] {
        let lineEnd = UInt8(ascii: "\n")
        let lines = content.split(separator: lineEnd, omittingEmptySubsequences: false)
        let code = lines.filter { line in
            let text = line.drop { $0 == UInt8(ascii: " ") }
            return !["//", "/**", "* ", "*/"].contains { text.starts(with: $0.utf8) }
        }
        return Array(code.joined(separator: [lineEnd]))
    }

    package static let page = "text/html; charset=utf-8"
    /// RFC 9239.
    private static let javaScript = "text/javascript; charset=utf-8"
}
