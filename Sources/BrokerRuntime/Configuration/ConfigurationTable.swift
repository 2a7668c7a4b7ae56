internal import EventModel
internal import Logging

extension ConfigurationKey {
    /// Every key there is, in the order in which they are shown.
    package static let all = broker + topics + database + security + output + limits

    private static let broker: [ConfigurationKey] = [
        .addresses(
            "listen", \.listen,
            "Where to accept connections; plain http only behind a reverse proxy."),
        .text(
            "data_dir", \.dataDirectory, "directory",
            "Holds the managed database and the local certificates."),
        .shared(
            "create_topics", \.serverSettings.createsTopics, "true|false",
            "Does publishing to a new topic create it? Kept in the database; true in a new one.",
            read: { Bool($0) }, show: { String($0) }),
        .text(
            "node", \.node, "name",
            "This broker's name among several on one database."),
        .integer("loops", \.loops, 1...1024, "Event loops, one thread each."),
        .integer(
            "connections_max", \.connectionsMax, 1...1_000_000,
            "Connections at a time; more are refused."),
        .optional(
            "connection_file", \.connectionFile, "file",
            "Tells the other commands on this machine how to reach the broker."),
    ]

    private static let database: [ConfigurationKey] = [
        .optional(
            "database_url", \.databaseURL, "libpq connection string",
            isSecret: true, "An existing PostgreSQL server; without it, a managed one is started."),
        .optional(
            "listen_url", \.listenURL, "libpq connection string",
            isSecret: true, "The same server for LISTEN, past a pooler; without it, database_url."),
        .optional(
            "postgres_binaries", \.postgresBinaries, "directory",
            "Has initdb and postgres; without it, the newest installed ones."),
        .flag("migrate", \.migrates, "Apply the schema's migrations at start."),
    ]

    private static let security: [ConfigurationKey] = [
        .choice(
            "auth", \.auth,
            "token: bearers of a token only. none: everybody on this machine, and loopback only."),
        .optional(
            "cert", \.certificateFile, "PEM file",
            "Certificate chain; without it, a local authority makes one."),
        .optional("key", \.keyFile, "PEM file", "Private key of cert."),
        .list(
            "tls_names", \.tlsNames, "list of names and addresses",
            "Further names in the local certificate."),
        .list(
            "origins", \.origins, "list of https://HOST[:PORT]",
            "Origins of web pages that may connect, besides the broker's own."),
    ]

    private static let output: [ConfigurationKey] = [
        .choice("log_level", \.logLevel, "The least important lines to log."),
        .choice("log_format", \.logFormat, "How log lines look."),
    ]

    private static let limits: [ConfigurationKey] = [
        .size(
            "limits.event_bytes", \.eventBytesMax, 1...(64 << 20),
            "One event's data; kept in the database, for all brokers and SQL publishers."),
        .size(
            "limits.message_bytes", \.limits.messageBytesMax, (1 << 10)...(128 << 20),
            "One message from a client."),
        .size(
            "limits.message_bytes_before_auth", \.limits.messageBytesBeforeAuthMax,
            (1 << 10)...(128 << 20),
            "One message from a client that has not authenticated yet."),
        .size(
            "limits.body_bytes", \.limits.bodyBytesMax, (1 << 10)...(1 << 30),
            "One HTTP request body."),
        .size(
            "limits.bodies_bytes", \.limits.bodiesBytesMax, (1 << 20)...(1 << 36),
            "All HTTP request bodies at a time; over it publishers get 429."),
        .integer(
            "limits.body_lines", \.limits.bodyLinesMax, 1...1_000_000,
            "Lines of one NDJSON body."),
        .size(
            "limits.header_bytes", \.limits.headerBytesMax, (1 << 10)...(1 << 20),
            "One HTTP request's line and headers."),
        .integer(
            "limits.subscriptions", \.limits.subscriptionsMax, 1...1_000_000,
            "Subscriptions of one session."),
        .integer(
            "limits.topics_per_subscribe", \.limits.topicsPerSubscribeMax, 1...1_000_000,
            "Topics and cursors of one subscribe message."),
        .integer(
            "limits.cursors_ahead", \.limits.cursorsAheadMax, 0...10_000_000,
            "Cursors that one session sends ahead of its subscribes."),
        .size(
            "limits.cursors_ahead_bytes", \.limits.cursorsAheadBytesMax, 0...(1 << 30),
            "Texts of cursors that one session sends ahead of its subscribes."),
        .size(
            "limits.backlog_bytes", \.limits.backlogBytesMax, (16 << 10)...(1 << 30),
            "Events that wait for one session's socket."),
        .integer(
            "limits.page_events", \.limits.pageEventsMax, 1...10_000,
            "Events of one page read from the log."),
        .size(
            "limits.page_bytes", \.limits.pageBytesMax, (16 << 10)...(64 << 20),
            "One page read from the log for a replay."),
        .size(
            "limits.recent_events_bytes", \.limits.recentEventsBytesMax, 0...(1 << 36),
            "Newest events kept in memory, over all topics."),
        .integer(
            "limits.append_queue_events", \.limits.appendQueueEventsMax, 100...10_000_000,
            "Events that wait for the log; over it publishers get 429."),
        .size(
            "limits.append_queue_bytes", \.limits.appendQueueBytesMax, (1 << 20)...(1 << 36),
            "Bytes that wait for the log; over it publishers get 429."),
        .duration(
            "limits.auth_timeout", \.limits.authTimeout, .seconds(1)...(.seconds(600)),
            "How long a session may take to authenticate."),
        .duration(
            "limits.heartbeat_interval", \.limits.heartbeatInterval,
            .seconds(1)...(.seconds(600)),
            "A heartbeat is sent when nothing else went out for this long."),
        .duration(
            "limits.stuck_timeout", \.limits.stuckTimeout, .seconds(1)...(.seconds(86_400)),
            "How long a client may take nothing of what waits for it."),
        .duration(
            "limits.revocation_interval", \.limits.revocationInterval,
            .seconds(1)...(.seconds(30)),
            "How often the tokens of open sessions and streams are looked up again."),
        .duration(
            "limits.outcome_timeout", \.limits.outcomeTimeout, .seconds(1)...(.seconds(600)),
            "A publish that is still unknown then is answered outcome_unknown."),
    ]
}
