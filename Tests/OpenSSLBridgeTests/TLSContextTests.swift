import Foundation
import OpenSSLBridge
import Testing

@Suite("A TLS context that cannot be made") struct TLSContextTests {
    private let directory: TemporaryDirectory
    private let certificates: LocalCertificates

    init() throws {
        directory = try TemporaryDirectory()
        certificates = try LocalCertificates.prepare(
            in: directory.path, hostName: "broker.test", now: presentTime())
    }

    private func error(chain: String, key: String) -> TLSError? {
        #expect(throws: TLSError.self) {
            _ = try TLSContext(.server(certificateChain: chain, privateKey: key))
        }
    }

    @Test func `names the file that is missing`() {
        let missing = directory.file("no.pem")
        let error = error(chain: missing, key: certificates.privateKey)
        #expect(error?.code == .file)
        #expect(error?.message.contains(missing) == true)
        #expect(error?.message.contains("No such file") == true)
    }

    @Test func `names the file that is not a certificate`() {
        let error = error(chain: certificates.privateKey, key: certificates.privateKey)
        #expect(error?.code == .file)
        #expect(error?.message.contains("server.key is not a PEM certificate chain") == true)
    }

    @Test func `names the file that is not a key`() {
        let error = error(chain: certificates.certificate, key: certificates.certificate)
        #expect(error?.code == .file)
        #expect(error?.message.contains("server.pem is not an unencrypted PEM private key") == true)
    }

    @Test func `says that the key is another certificate's`() {
        let error = error(chain: certificates.certificate, key: directory.file("ca.key"))
        #expect(error?.code == .keyMismatch)
        #expect(error?.message.contains("is not the one of") == true)
    }

    @Test func `says that the certificate has expired`() throws {
        let other = try TemporaryDirectory()
        let old = presentTime() - 830 * 86_400
        let expired = try LocalCertificates.prepare(
            in: other.path, hostName: "broker.test", now: old)

        let error = error(chain: expired.certificate, key: expired.privateKey)

        #expect(error?.code == .expired)
        #expect(error?.message.contains("has expired") == true)
    }

    @Test func `names the authority file that is not there`() {
        let error = #expect(throws: TLSError.self) {
            _ = try TLSContext(.client(TLSTrust(authorities: "/nowhere/ca.pem")))
        }
        #expect(error?.code == .file)
        #expect(error?.message.contains("/nowhere/ca.pem") == true)
    }

    @Test func `is made with the system's authorities alone`() throws {
        _ = try TLSContext(.client(TLSTrust()))
    }
}
