internal import OpenSSLBridge

/// The largest piece that one record carries.
enum TLSRecord {
    static let bytesMax = TLSSession.recordBytesMax
}
