import Foundation
import OpenSSLBridge

/// A directory that is gone when the test is over.
final class TemporaryDirectory {
    let path: String

    init() throws {
        let name = randomBytes(8).map { String($0, radix: 16) }.joined()
        path = NSTemporaryDirectory() + "sluice-tls-" + name
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    func contents(_ name: String) throws -> Data {
        try Data(contentsOf: URL(fileURLWithPath: file(name)))
    }

    func permissions(_ name: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: file(name))
        return (attributes[.posixPermissions] as? Int) ?? -1
    }
}

/// Seconds since 1970.
func presentTime() -> Int { Int(Date().timeIntervalSince1970) }
