/// A `datacontenttype` (RFC 2046), as far as it decides how data is said.
struct ContentType {
    /// `type/subtype`, in lower case.
    private let essence: Substring
    private let charset: String?

    /// `nil` if it is none.
    init?(_ text: String) {
        let parts = text.lowercased().split(separator: ";", omittingEmptySubsequences: false)
            .map { $0.drop { $0 == " " }.trimmingSuffix { $0 == " " } }
        let names = parts[0].split(separator: "/", omittingEmptySubsequences: false)
        guard names.count == 2, names.allSatisfy(Self.isToken) else { return nil }
        essence = parts[0]
        let charset = parts.dropFirst().last { $0.hasPrefix("charset=") }
        self.charset = charset.map { $0.dropFirst(8).filter { $0 != "\"" } }
    }

    /// JSON format 3.1.1: `*/json` or `*/*+json`.
    var isJSON: Bool { essence.hasSuffix("/json") || essence.hasSuffix("+json") }

    /// Text, in UTF-8.
    var isText: Bool {
        let isText =
            essence.hasPrefix("text/") || essence == "application/xml" || essence.hasSuffix("+xml")
        return isText && [nil, "utf-8", "us-ascii"].contains(charset)
    }

    /// RFC 9110 5.6.2.
    private static func isToken(_ text: Substring) -> Bool {
        let delimiters = #""(),/:;<=>?@[\]{}"#.utf8
        return !text.isEmpty
            && text.utf8.allSatisfy { (0x21...0x7E).contains($0) && !delimiters.contains($0) }
    }
}

extension Substring {
    fileprivate func trimmingSuffix(_ isTrimmed: (Character) -> Bool) -> Substring {
        var rest = self
        while let last = rest.last, isTrimmed(last) { rest.removeLast() }
        return rest
    }
}
