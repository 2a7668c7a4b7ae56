import AccessControl
import EventModel
import Testing

@Suite("The list of origins") struct OriginListTests {
    private static func isWelcome(_ origins: [String], at host: String?, of items: [String]) -> Bool
    {
        do throws(BrokerError) {
            try OriginList(items).check(origins, host: host)
            return true
        } catch {
            #expect(error.code == .originRefused)
            return false
        }
    }

    @Test(
        arguments: [
            (nil, "example.com"), ("https://example.com", "example.com"),
            ("http://Example.com", "example.COM"),
            ("https://example.com", "example.com:443"), ("http://example.com:80", "example.com"),
            ("https://example.com:8443", "example.com:8443"), ("https://listed.org", "example.com"),
            ("https://[::1]:8443", "[::1]:8443"),
        ] as [(String?, String)])
    func `welcomes pages of the same host, of a listed origin or of no page`(
        origin: String?, host: String
    ) {
        let origins = origin.map { [$0] } ?? []
        #expect(Self.isWelcome(origins, at: host, of: ["https://Listed.org"]))
    }

    @Test(arguments: [
        ("https://evil.com", "example.com"), ("null", "example.com"),
        ("https://example.com:1", "example.com"),
        ("https://example.com@evil.com", "example.com"),
        ("https://example.com.evil.com", "example.com"),
        ("example.com", "example.com"), ("http://listed.org", "example.com"), ("", "example.com"),
        ("https://example.com/", "example.com"), ("https://example.com:80", "example.com"),
    ])
    func `refuses a page of another host`(origin: String, host: String) {
        #expect(!Self.isWelcome([origin], at: host, of: ["https://listed.org"]))
    }

    @Test func `refuses other pages than its own with 403`() {
        let evil = ["https://evil.example"]
        #expect(ErrorCode.originRefused.httpStatus == 403)
        #expect(!Self.isWelcome(evil, at: "server.example", of: ["https://good.example"]))
        for item in ["https://Evil.example", "*"] {
            #expect(Self.isWelcome(evil, at: "server.example", of: [item]))
        }
        #expect(
            !Self.isWelcome(
                evil + ["https://good.example"], at: "server.example",
                of: ["https://good.example", "https://evil.example"]))
    }

    @Test(
        arguments: [
            ("https://app.example.com", "https://app.example.com", true),
            ("https://app.example.com", "https://APP.Example.com:443", true),
            ("https://app.example.com:443", "https://app.example.com", true),
            ("https://app.example.com", "https://app.example.com:8443", false),
            ("https://app.example.com", "http://app.example.com", false),
            ("http://localhost:3000", "http://localhost:3000", true),
            ("app://obsidian.md", "app://obsidian.md", true),
            ("https://*.example.com", "https://a.example.com", true),
            ("https://*.example.com", "https://a.b.example.com", true),
            ("https://*.example.com", "https://example.com", false),
            ("https://*.example.com", "https://.example.com", false),
            ("https://*.example.com", "https://evilexample.com", false),
            ("https://*.example.com", "https://a.example.com:8443", false),
            ("https://*.example.com", "https://a.example.com.evil.com", false),
            ("https://*.example.com", "https://evil.com/.example.com", false),
            ("https://*.example.com", "https://evil.com#.example.com", false),
            ("https://*.example.com", "https://evil.com\\.example.com", false),
            ("https://*.example.com", "http://a.example.com", false),
            ("https://*.example.com:8443", "https://a.example.com:8443", true),
            ("*", "https://any.example", true), ("*", "null", true),
            ("https://app.example.com", "null", false),
        ] as [(String, String, Bool)])
    func `has origins, what is below a host, or all`(item: String, origin: String, isListed: Bool) {
        #expect(OriginList.isItem(item))
        #expect(OriginList([item]).lists(origin) == isListed)
    }

    @Test(arguments: [
        "", "null", "example.com", "https://", "https://example.com/", "https://example.com/a",
        "https://user@example.com", "https://example.com:", "https://example.com:x",
        "https://example.com:123456", "https://*", "https://*.", "https://*.*.example.com",
        "https://a.*.example.com", "https://exa mple.com", "*.example.com", "**",
        "https://[::1", "https://*.[::1]",
    ])
    func `has no item of another form`(item: String) {
        #expect(!OriginList.isItem(item))
        #expect(!OriginList([item]).lists(item))
    }

    @Test func `is selective unless it is empty, or has everybody`() {
        #expect(!OriginList([]).isSelective)
        #expect(!OriginList(["*", "https://a.example"]).isSelective)
        #expect(OriginList(["https://a.example"]).isSelective)
        #expect(OriginList(["https://*.a.example"]).isSelective)
    }
}
