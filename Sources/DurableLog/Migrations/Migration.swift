/// One step of the schema's tables, from `migrations/NNNN_verb_noun.sql`; the text is part of the
/// program.
package struct Migration: Sendable {
    package let version: Int
    package let name: String
    package let sql: String

    private init(_ version: Int, _ name: String, _ bytes: [UInt8]) {
        self.version = version
        self.name = name
        sql = String(decoding: bytes, as: UTF8.self)
    }

    /// Every step, in order.
    ///
    /// A new file gets a line here; old ones never change.
    package static let all = [
        Migration(1, "create_log", PackageResources._001_create_log_sql),
        Migration(2, "create_tokens", PackageResources._002_create_tokens_sql),
        Migration(3, "bound_durations", PackageResources._003_bound_durations_sql),
        Migration(
            4, "note_when_retention_is_due",
            PackageResources._004_note_when_retention_is_due_sql),
        Migration(5, "create_tickets", PackageResources._005_create_tickets_sql),
        Migration(6, "grant_to_tokens", PackageResources._006_grant_to_tokens_sql),
    ]

    /// The schema that this program works with.
    package static var current: Int { all.count }

    /// The name of its file.
    package var file: String {
        let digits = String(version)
        return String(repeating: "0", count: 4 - digits.count) + "\(digits)_\(name).sql"
    }
}
