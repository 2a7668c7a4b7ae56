internal import COpenSSL

/// The authenticated encryption of TLS 1.3's records (RFC 8446 B.4); all have tags of 16 bytes and
/// nonces of 12.
enum RecordCipher: Int, CaseIterable {
    case aes128GCM
    case aes256GCM
    case chaCha20Poly1305

    static let tagBytes = 16
    static let nonceBytes = 12

    /// `nil` for suites that stay with OpenSSL.
    init?(suite: UInt16) {
        switch suite {
        case 0x1301: self = .aes128GCM
        case 0x1302: self = .aes256GCM
        case 0x1303: self = .chaCha20Poly1305
        default: return nil
        }
    }

    var suiteName: String {
        switch self {
        case .aes128GCM: "TLS_AES_128_GCM_SHA256"
        case .aes256GCM: "TLS_AES_256_GCM_SHA384"
        case .chaCha20Poly1305: "TLS_CHACHA20_POLY1305_SHA256"
        }
    }

    /// What EVP_CIPHER_fetch(3) knows it by.
    var name: String {
        switch self {
        case .aes128GCM: "AES-128-GCM"
        case .aes256GCM: "AES-256-GCM"
        case .chaCha20Poly1305: "ChaCha20-Poly1305"
        }
    }

    var keyBytes: Int { self == .aes128GCM ? 16 : 32 }

    /// A traffic secret is as long as the suite's digest.
    var secretBytes: Int { self == .aes256GCM ? 48 : 32 }

    /// The suite's digest, which OpenSSL owns.
    var digest: OpaquePointer { self == .aes256GCM ? EVP_sha384() : EVP_sha256() }
}
