import Foundation
import OpenSSLBridge
import Testing

@Suite("Local certificates") struct LocalCertificatesTests {
    private let directory: TemporaryDirectory
    private let now = presentTime()

    init() throws { directory = try TemporaryDirectory() }

    private func prepare(
        _ names: [String] = [], host: String = "broker.test", days: Int = 0
    ) throws -> LocalCertificates {
        try LocalCertificates.prepare(
            in: directory.path, names: names, hostName: host, now: now + days * 86_400)
    }

    @Test func `keep their keys to their owner`() throws {
        let made = try prepare()
        #expect(made.isAuthorityNew)
        #expect(try directory.permissions("ca.key") == 0o600)
        #expect(try directory.permissions("server.key") == 0o600)
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).count == 4)
    }

    @Test func `stay as they are while they are good`() throws {
        _ = try prepare()
        let before = try ["ca.pem", "ca.key", "server.pem", "server.key"].map(directory.contents)

        let again = try prepare(days: 700)

        #expect(!again.isAuthorityNew)
        let after = try ["ca.pem", "ca.key", "server.pem", "server.key"].map(directory.contents)
        #expect(after == before)
    }

    @Test func `issue the server's anew 30 days before it ends, by the same authority`() throws {
        _ = try prepare()
        let authority = try directory.contents("ca.pem")
        let server = try directory.contents("server.pem")

        let again = try prepare(days: 796)

        #expect(!again.isAuthorityNew)
        #expect(try directory.contents("ca.pem") == authority)
        #expect(try directory.contents("server.pem") != server)
    }

    @Test func `issue the server's anew when the host got another name`() throws {
        _ = try prepare()
        let server = try directory.contents("server.pem")
        _ = try prepare(host: "renamed.test")
        #expect(try directory.contents("server.pem") != server)
    }

    @Test func `issue the server's anew when its key is not the right one`() throws {
        let made = try prepare()
        try directory.contents("ca.key").write(to: URL(fileURLWithPath: made.privateKey))
        _ = try prepare()
        _ = try TLSContext(
            .server(certificateChain: made.certificate, privateKey: made.privateKey))
    }

    @Test func `make a new authority when its key is gone`() throws {
        let made = try prepare()
        try FileManager.default.removeItem(atPath: directory.file("ca.key"))
        #expect(try prepare().isAuthorityNew)
        _ = try TLSContext(
            .server(certificateChain: made.certificate, privateKey: made.privateKey))
    }

    @Test func `leave out names that would change the certificate's meaning`() throws {
        _ = try prepare(["evil.test,DNS:bank.test", "", "-x"])
    }

    @Test func `say where they cannot be written`() throws {
        let error = #expect(throws: TLSError.self) {
            _ = try LocalCertificates.prepare(in: "/proc/no/such", now: now)
        }
        #expect(error?.code == .file)
        #expect(error?.message.contains("/proc/no/such") == true)
    }
}

@Suite("Digests and random bytes") struct DigestTests {
    private func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    @Test func `are those of the standards' examples`() {
        #expect(hex(Digest.sha1("abc".utf8)) == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(
            hex(Digest.sha256(Array("abc".utf8)))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    @Test func `are the same for bytes that are not contiguous`() {
        let lazily = "abc".utf8.lazy.map { $0 }
        #expect(Digest.sha256(lazily) == Digest.sha256("abc".utf8))
    }

    @Test func `are as many as asked for`() {
        #expect(randomBytes(0).isEmpty)
        #expect(randomBytes(32).count == 32)
        #expect(randomBytes(32) != randomBytes(32))
    }
}
