import Testing
import Transport

@Suite("An address to listen on") struct ListenAddressTests {
    @Test(arguments: [
        ("https://127.0.0.1:8443", ListenAddress(isTLS: true, host: "127.0.0.1", port: 8443)),
        ("http://[::1]:8080", ListenAddress(isTLS: false, host: "::1", port: 8080)),
        ("https://localhost/", ListenAddress(isTLS: true, host: "localhost", port: 8443)),
        ("http://0.0.0.0:0", ListenAddress(isTLS: false, host: "0.0.0.0", port: 0)),
    ])
    func `is read`(text: String, address: ListenAddress) throws {
        #expect(try ListenAddress(parsing: text) == address)
    }

    @Test(arguments: [
        "127.0.0.1:8443", "ftp://x", "https://", "https://:80", "https://x:", "https://x:70000",
        "https://[::1", "https://x:8443/path", "https://x:+1", "https://a b:1",
    ])
    func `is refused with an example`(text: String) {
        let error = #expect(throws: ListenAddressError.self) {
            _ = try ListenAddress(parsing: text)
        }
        #expect(error?.description.contains("Example: https://") == true)
    }

    @Test(arguments: [
        ("http://127.0.0.1", true), ("http://127.9.9.9", true), ("http://[::1]", true),
        ("http://localhost", true), ("http://0.0.0.0", false), ("http://[::]", false),
        ("http://127.0.0.1.example.test", false), ("http://10.0.0.1", false),
    ])
    func `knows whether it is this machine's alone`(text: String, isLoopback: Bool) throws {
        #expect(try ListenAddress(parsing: text).isLoopback == isLoopback)
    }

    @Test func `is written as it is read`() throws {
        for text in ["https://127.0.0.1:8443", "http://[::1]:8080"] {
            #expect(try ListenAddress(parsing: text).description == text)
        }
    }
}
