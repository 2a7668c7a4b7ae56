@testable import NetworkFaults
import Testing

/// What stands in the way of connections in tests.
@Suite("A proxy of the tests") struct SwitchProxyTests {
    @Test func `leaves its port when it is let go`() throws {
        var proxy: SwitchProxy? = try SwitchProxy()
        let port = try #require(proxy).port
        #expect(Socket(connectedTo: .port(port)) != nil)
        proxy = nil
        #expect(Socket(connectedTo: .port(port)) == nil)
    }
}
