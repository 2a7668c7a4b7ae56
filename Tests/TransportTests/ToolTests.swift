import Foundation
import NIOCore
import NIOHTTP1
import OpenSSLBridge
import Testing
import Transport

@Suite("Other people's clients", .enabled(if: Tool.curl != nil)) struct ToolTests {
    private func curl(_ arguments: [String]) throws -> (status: Int32, output: String) {
        try Tool.run(Tool.curl ?? "", ["-sS", "--max-time", "10"] + arguments)
    }

    private func authority() throws -> String {
        guard let local = TestCertificates.local else { throw TestCertificates.Missing() }
        return local.authority
    }

    @Test(arguments: [["--tlsv1.2", "--tls-max", "1.2"], ["--tlsv1.3"]])
    func `accept the local certificate by name and by address`(version: [String]) throws {
        let server = try TestServer()
        for host in ["localhost", "127.0.0.1"] {
            let (status, output) = try curl(
                version + ["--cacert", authority(), "https://\(host):\(server.tlsPort)/path"])
            #expect(status == 0)
            #expect(output == "GET /path")
        }
    }

    /// curl asks a plain server for HTTP/2 with `Upgrade: h2c`, as Java's HttpClient does.
    @Test func `keep their connection although they would rather speak HTTP/2`() throws {
        let server = try TestServer()
        let address = "http://127.0.0.1:\(server.plainPort)"
        let (status, output) = try curl([
            "--http2", "-w", " %{num_connects};", "\(address)/1", "\(address)/2", "-d", "body",
            "\(address)/3",
        ])
        #expect(status == 0)
        #expect(output == "POST /1 1;POST /2 0;POST /3 0;")
    }

    @Test func `do not trust it without its authority`() throws {
        let server = try TestServer()
        #expect(try curl(["https://localhost:\(server.tlsPort)/"]).status == 60)
    }

    @Test func `hear that a body is too large, whichever way they send it`() throws {
        let server = try TestServer(
            TestService(admission: { _, _ in .collect(bodyBytesMax: 1000) }))
        let file = NSTemporaryDirectory() + "sluice-upload-\(getpid())"
        try Data(repeating: 1, count: 3_000_000).write(to: URL(fileURLWithPath: file))
        defer { try? FileManager.default.removeItem(atPath: file) }
        for header in ["Expect:", "Transfer-Encoding: chunked", "X: y"] {
            let (_, output) = try curl([
                "--cacert", authority(), "-H", header, "--data-binary", "@\(file)", "-w",
                "%{http_code}", "https://localhost:\(server.tlsPort)/",
            ])
            #expect(output.hasSuffix("1000 bytes.413"))
        }
    }
}

/// A program of the machine, where it has it.
enum Tool {
    static let curl = ["/usr/bin/curl", "/usr/local/bin/curl"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    static func run(
        _ path: String, _ arguments: [String]
    ) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = Pipe()
        try process.run()
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: bytes, as: UTF8.self))
    }
}
