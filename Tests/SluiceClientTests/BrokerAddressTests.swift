import Testing

@testable import SluiceClient

@Suite("The address of a broker") struct BrokerAddressTests {
    @Test(arguments: [
        ("https://127.0.0.1:8443", "https://127.0.0.1:8443"),
        ("https://broker.example/", "https://broker.example:443"),
        ("wss://broker.example:1", "https://broker.example:1"),
        ("http://[::1]:8080", "http://[::1]:8080"), ("ws://localhost", "http://localhost:80"),
    ]) func `is read from a URL without a path`(text: String, url: String) throws {
        #expect(try BrokerAddress(text).description == url)
    }

    @Test(arguments: [
        "", "127.0.0.1:8443", "ftp://x", "https://", "https://x/path", "https://x:0",
        "https://x:65536", "https://x:+1", "https://[::1", "https://u@x", "https://x y",
    ]) func `that is none is refused with an example`(text: String) {
        let error = #expect(throws: SluiceError.self) { try BrokerAddress(text) }
        #expect(error?.kind == .invalid)
        #expect(error?.remedy.contains("https://127.0.0.1:8443") == true)
    }
}
