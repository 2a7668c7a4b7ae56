/// A function of the schema (with its overloads), from `migrations/functions`; the text is part of
/// the program.
///
/// It is made again when its text changed, and after each migration, which may therefore drop
/// functions and change what they stand on.
package struct SchemaFunction: Sendable {
    package let name: String
    package let sql: String

    private init(_ name: String, _ bytes: [UInt8]) {
        self.name = name
        sql = String(decoding: bytes, as: UTF8.self)
    }

    /// Raised by whoever changes a function, so that an older program tells a newer database from
    /// an older one.
    package static let revision = 4

    /// Every function, each behind those that it calls: SQL functions are resolved when they are
    /// made.
    package static let all = [
        SchemaFunction("next_version", PackageResources.next_version_sql),
        SchemaFunction("create_topics", PackageResources.create_topics_sql),
        SchemaFunction("alter_topic", PackageResources.alter_topic_sql),
        SchemaFunction("delete_topic", PackageResources.delete_topic_sql),
        SchemaFunction("key_slot", PackageResources.key_slot_sql),
        SchemaFunction("known_key", PackageResources.known_key_sql),
        SchemaFunction("head", PackageResources.head_sql),
        SchemaFunction("tail", PackageResources.tail_sql),
        SchemaFunction("beat", PackageResources.beat_sql),
        SchemaFunction("span", PackageResources.span_sql),
        SchemaFunction("refuse", PackageResources.refuse_sql),
        SchemaFunction("ends", PackageResources.ends_sql),
        SchemaFunction("heads", PackageResources.heads_sql),
        SchemaFunction("append", PackageResources.append_sql),
        SchemaFunction("give_up", PackageResources.give_up_sql),
        SchemaFunction("newest", PackageResources.newest_sql),
        SchemaFunction("newest_seqs", PackageResources.newest_seqs_sql),
        SchemaFunction("follow", PackageResources.follow_sql),
        SchemaFunction("read_page", PackageResources.read_page_sql),
        SchemaFunction("offset_at", PackageResources.offset_at_sql),
        SchemaFunction("mark", PackageResources.mark_sql),
        SchemaFunction("purge", PackageResources.purge_sql),
        SchemaFunction("put_off", PackageResources.put_off_sql),
        SchemaFunction("retain", PackageResources.retain_sql),
        SchemaFunction("make_due", PackageResources.make_due_sql),
        SchemaFunction("limits_changed", PackageResources.limits_changed_sql),
        SchemaFunction("review_retention", PackageResources.review_retention_sql),
        SchemaFunction("forget", PackageResources.forget_sql),
        SchemaFunction("forget_keys", PackageResources.forget_keys_sql),
        SchemaFunction("incarnation", PackageResources.incarnation_sql),
        SchemaFunction("clock", PackageResources.clock_sql),
        SchemaFunction("end_incarnation", PackageResources.end_incarnation_sql),
        SchemaFunction("resume", PackageResources.resume_sql),
        SchemaFunction("offset_as_of", PackageResources.offset_as_of_sql),
        SchemaFunction("publish", PackageResources.publish_sql),
        SchemaFunction("ensure_publisher", PackageResources.ensure_publisher_sql),
        SchemaFunction("outbox_retry", PackageResources.outbox_retry_sql),
        SchemaFunction("outbox_discard", PackageResources.outbox_discard_sql),
        SchemaFunction("too_deep", PackageResources.too_deep_sql),
        SchemaFunction("untraced", PackageResources.untraced_sql),
        SchemaFunction("drain", PackageResources.drain_sql),
        SchemaFunction("watched", PackageResources.watched_sql),
        SchemaFunction("unwatch_table", PackageResources.unwatch_table_sql),
        SchemaFunction("watch_table", PackageResources.watch_table_sql),
        SchemaFunction("emit", PackageResources.emit_sql),
        SchemaFunction("fade", PackageResources.fade_sql),
    ]

    /// The name of its file.
    package var file: String { "functions/\(name).sql" }
}
