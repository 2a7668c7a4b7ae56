import Testing

/// The product as a user meets it: real TLS, real sockets, a real PostgreSQL.
///
/// One after the other: each test measures itself against deadlines, and two cores are soon busy.
@Suite(.serialized) enum EndToEnd {}

/// A topic that no other test uses.
func freshTopic(_ name: String = "events") -> String {
    "t\(String(UInt64.random(in: 0 ... .max), radix: 36)).\(name)"
}
